package main

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/internal/longtest"
)

// postPicture is a request that makes a job of a picture.
func postPicture(query, fields string, picture []byte) string {
	return fmt.Sprintf("POST /images/jobs?%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s", query, fields, len(picture), picture)
}

// pngOf is a PNG of 8 bits of grey, with some chunks before its pixels, which are black.
func pngOf(width, height int, chunks ...[]byte) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(width)), uint32(height))
	var pixels bytes.Buffer
	w := zlib.NewWriter(&pixels)
	for range height {
		_, _ = w.Write(make([]byte, 1+width))
	}
	_ = w.Close()
	return bytes.Join([][]byte{[]byte("\x89PNG\r\n\x1a\n"), pngPart("IHDR", append(header, 8, 0, 0, 0, 0)),
		bytes.Join(chunks, nil), pngPart("IDAT", pixels.Bytes()), pngPart("IEND", nil)}, nil)
}

func pngPart(kind string, body []byte) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind...)
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// jobInputs are what is sent to a service of jobs on pictures.
var jobInputs = sync.OnceValue(func() []decoderInput {
	small := pngOf(8, 8)
	accepted := []int{202}
	part := "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n"
	return []decoderInput{
		// Bodies: a service decodes none, and this one takes pictures.
		{"a picture", postPicture("width=4", "", small), accepted, "body of a job"},
		{"a long body", postPicture("width=4", "", make([]byte, 20<<20+1)), []int{413}, "body of a job"},
		{"a form", postPicture("", "Content-Type: application/x-www-form-urlencoded\r\n", []byte(repeat("a=b&", 100_000))), []int{415}, "body of a job"},
		{"many parts", postPicture("", "Content-Type: multipart/form-data; boundary=x\r\n", []byte(repeat(part, 100_000))), []int{415}, "body of a job"},
		{"a part in a part", postPicture("", "Content-Type: multipart/form-data; boundary=x\r\n",
			[]byte(several("--x\r\nContent-Type: multipart/mixed; boundary=x%d\r\n\r\n", 10_000))), []int{415}, "body of a job"},
		{"a part with a long name", postPicture("", "Content-Type: multipart/form-data; boundary=x\r\n",
			[]byte("--x\r\nContent-Disposition: form-data; name="+repeat("a", 1<<20)+"\r\n\r\n")), []int{415}, "body of a job"},
		{"deep JSON", postPicture("", "Content-Type: application/json\r\n", []byte(repeat("[", 1<<20))), []int{415}, "body of a job"},
		{"a long Content-Type", postPicture("width=4", "Content-Type: "+repeat("a", 50<<10)+"\r\n", small), accepted, "request head"},

		// What a picture is of.
		{"a picture of many parts", postPicture("", "", pngOf(8, 8, bytes.Repeat(pngPart("tEXt", nil), 131_000))), accepted, "parts of its file"},
		{"a picture of more parts", postPicture("", "", pngOf(8, 8, bytes.Repeat(pngPart("tEXt", nil), 131_072))), []int{422}, "parts of its file"},
		{"a picture with a long text", postPicture("", "", pngOf(8, 8, pngPart("tEXt", bytes.Repeat([]byte("a"), 19<<20)))), accepted, "EXIF, profiles, texts"},
		{"a picture of as many pixels as may be", postPicture("width=4", "", pngOf(5000, 10_000)), accepted, "pixels of a picture"},
		{"a picture of more pixels", postPicture("width=4", "", pngOf(5000, 10_001)), []int{422}, "pixels of a picture"},
		{"a long picture", postPicture("width=4", "", pngOf(1, 16_385)), []int{422}, "pixels of a picture"},
		{"an animation of many frames", postPicture("", "", pngOf(8, 8, bytes.Repeat(pngPart("fcTL", make([]byte, 26)), 257))), []int{422}, "scans of a JPEG; frames"},

		// Queries, paths and fields.
		{"many parameters", postPicture(strings.TrimPrefix(several("&p%d=1", 2000), "&"), "", small), accepted, "parameters of a query"},
		{"a parameter many times", postPicture("width=1"+repeat("&width=1", 1500), "", small), []int{400}, "parameters of a query"},
		{"a long number", postPicture("width="+repeat("9", 10<<10), "", small), []int{400}, "request target"},
		{"a wide crop", postPicture("crop=1"+repeat(",1", 7<<10), "", small), []int{400}, "request target"},
		{"a long name of a page", postPicture("page="+repeat("a", 65), "", small), []int{400}, "request target"},
		{"a wide Prefer", postPicture("width=4", "Prefer: "+repeat("a=b;c,", 10<<10)+"\r\n", small), accepted, "lists in fields"},
		{"a long id", getRequest("/images/jobs/"+repeat("a", 15<<10), ""), []int{404}, "request target"},
		{"a deep path", getRequest("/images/jobs"+repeat("/a", 7<<10), ""), []int{404}, "request target"},
		{"a wide If-None-Match", getRequest("/images/jobs/a", "If-None-Match: "+repeat(`"1",`, 15<<10)+"\r\n"), []int{404}, "versions of a job"},
		{"a long Last-Event-ID", getRequest("/images/jobs/a/events", "Last-Event-ID: "+repeat("1", 50<<10)+"\r\n"), []int{404}, "request head"},
		{"a long name of a stream", getRequest("/stream/text?seed=1&paragraphs=1&pace=full&run="+repeat("a", 65), ""), []int{400}, "request target"},
		{"a long seed", getRequest("/stream/text?paragraphs=1&pace=full&run=a&seed="+repeat("9", 10<<10), ""), []int{400}, "request target"},
		{"a long event of a stream", getRequest("/stream/text?seed=1&paragraphs=1&pace=full&run=a", "Last-Event-ID: "+repeat("9", 50<<10)+"-1\r\n"), []int{400}, "request head"},
		{"a long name of a visitor", getRequest("/hub/poll?wait=0&ch=room:a&token=a."+repeat("a", 10<<10), ""), []int{401}, "a token"},
		{"a long name of a sample", getRequest("/images/samples/"+repeat("a", 15<<10), ""), []int{404}, "request target"},
	}
})

// jobMessages are messages to the WebSocket of a client's jobs.
func jobMessages() []messageInput {
	return []messageInput{
		{"a long command", oneMessage(`{"type":"cancel","id":"` + repeat("a", 1<<10) + `"}`), "close 1009"},
		{"a deep command", oneMessage(repeat(`{"a":`, 1<<20)), "close 1009"},
		{"a deep and short command", oneMessage(repeat(`[`, 1<<10)), "close 1008"},
		{"a wide command", oneMessage(`{"type":"cancel"` + repeat(`,"id":"a"`, 1<<20) + `}`), "close 1009"},
		{"a long picture", func(c *websocket.Conn) error { return c.WriteMessage(websocket.BinaryMessage, make([]byte, 16<<20+1)) }, "close 1009"},
		{"what is no picture", func(c *websocket.Conn) error { return c.WriteMessage(websocket.BinaryMessage, make([]byte, 1<<10)) }, `"status":415`},
	}
}

// inTurns is what is sent to an engine: in the short run every other input, since what
// decodes most of them is the same on both.
func inTurns(all []decoderInput, engine string) (some []decoderInput) {
	for i, in := range all {
		if longtest.On() || (i%2 == 0) == (engine == engineLoop) {
			some = append(some, in)
		}
	}
	return some
}

// TestDecodersOfJobs is TestDecoders for a service of jobs, and the pictures it takes.
func TestDecodersOfJobs(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			cmd := command(t, []string{"GOGC=100", "GOMEMLIMIT=256MiB"}, "demo", "--addr", "127.0.0.1:0", "--engine", engine, "--access-log=off")
			p := serveCommand(t, cmd)
			p.decode(inTurns(jobInputs(), engine))
			for _, in := range jobMessages() {
				if got := p.converse("/images/jobs/events", in.send); !regexp.MustCompile(in.says).MatchString(got) {
					t.Errorf("WebSocket, %s: %.200q, want %s", in.name, got, in.says)
				}
			}
			if status := p.exchange(postPicture("width=4", "", pngOf(8, 8))); status != 202 {
				t.Errorf("afterwards: status %d", status)
			}
			p.tookAtMost(384 << 20)
		})
	}
}

// What a process that reads pictures says is passed on only if it is what one says.
func TestWhatAProcessMaySay(t *testing.T) {
	for _, c := range []struct {
		says transformed
		ok   bool
	}{
		{transformed{ContentType: "image/png"}, true},
		{transformed{ContentType: "image/jpeg"}, true},
		{transformed{ContentType: "image/gif"}, true},
		{transformed{Status: 422, Reason: repeat("a", maxReason)}, true},
		{transformed{Status: 422, Reason: repeat("a", maxReason+1)}, false},
		{transformed{}, false},
		{transformed{ContentType: "text/html"}, false},
		{transformed{ContentType: "image/png\r\nset-cookie: a=b"}, false},
		{transformed{ContentType: repeat("a", 1<<20)}, false},
		{transformed{Status: 200}, false},
		{transformed{Status: 999}, false},
		{transformed{Status: -1}, false},
	} {
		if err := c.says.check(); (err == nil) != c.ok {
			t.Errorf("%.60v: %v", c.says, err)
		}
	}
}
