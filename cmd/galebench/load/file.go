package load

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
)

// fileRequest asks for a file as browsers do. fields are added as they are.
func fileRequest(path, fields string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n" + fields + "\r\n")
}

// NewConditional is a dialogue of requests for [FilePath] by a client that has the
// file: all are answered with 304, and with the same fields but for the date. The
// validators are those of a first answer of the server.
func NewConditional(server netip.AddrPort) (Dialogue, error) {
	c, err := dial(server, 0)
	if err != nil {
		return nil, err
	}
	defer c.close()
	head, err := c.ask(fileRequest(FilePath, ""), "200")
	if err != nil {
		return nil, err
	}
	_, _, value := field(head, "content-length")
	length, err := strconv.Atoi(value)
	if err != nil {
		return nil, errResponse
	}
	if _, err := c.receive(length); err != nil {
		return nil, err
	}
	d := new(conditional)
	fields := ""
	if _, _, tag := field(head, "etag"); tag != "" {
		fields += "If-None-Match: " + tag + "\r\n"
	}
	if _, _, modified := field(head, "last-modified"); modified != "" {
		fields += "If-Modified-Since: " + modified + "\r\n"
	}
	d.request = fileRequest(FilePath, fields)
	if d.reply, err = c.ask(d.request, "304"); err != nil {
		return nil, err
	}
	d.from, d.to, _ = field(d.reply, "date")
	return d, nil
}

// ask sends a request and returns the head of the response, which must have the
// status, on a conn that blocks.
func (c *conn) ask(request []byte, status string) (head []byte, err error) {
	if err := c.send(request); err != nil {
		return nil, err
	}
	if head, err = c.receiveHead(); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 "+status+" ")) {
		return nil, fmt.Errorf("load: the request was answered with %.100q", head)
	}
	return head, nil
}

type conditional struct {
	request, reply []byte
	from, to       int // the value of the Date field
}

func (d *conditional) greet(*conn) error  { return nil }
func (d *conditional) batch(n int) []byte { return bytes.Repeat(d.request, n) }
func (d *conditional) newReader() reader {
	return &repeated{want: d.reply, from: d.from, to: d.to}
}
