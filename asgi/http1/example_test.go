package http1_test

import (
	"fmt"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
)

// A request arrives in two parts, with the beginning of the next one behind it.
func ExampleMachine() {
	m := http1.New(nil)
	head := new(http1.Head)
	var out []byte
	for _, p := range []string{
		"POST /greet?loud=1 HTTP/1.1\r\nHost: exam",
		"ple.com\r\nContent-Length: 5\r\n\r\nworldGET / HT",
	} {
		rest := []byte(p)
		for {
			ev, err := m.Next(rest, head)
			if err != nil {
				fmt.Println(err)
				return
			}
			rest = rest[ev.N:]
			switch ev.Kind {
			case http1.Request:
				method, path, query, headers := head.Copy(nil)
				fmt.Println(method, path, query, headers)
				continue
			case http1.Body:
				fmt.Printf("body %q\n", ev.Data)
				continue
			case http1.End:
				out, _ = m.AppendStart(out, &http1.Response{
					Status:    200,
					Headers:   []asgi.Header{{Name: "content-type", Value: "text/plain"}},
					BodyBytes: -1,
				})
				out, _ = m.AppendBody(out, []byte("hello, "))
				out, _ = m.AppendLastBody(out, []byte("world"))
				continue
			}
			fmt.Println(ev.Kind, m.Buffered())
			break
		}
	}
	fmt.Printf("%q\n", out)
	// Output:
	// NeedData 39
	// POST /greet loud=1 [{host example.com} {content-length 5}]
	// body "world"
	// NeedData 8
	// "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nhello, \r\n5\r\nworld\r\n0\r\n\r\n"
}

// A request that could mean two things is refused, and is the last one.
func ExampleMachine_AppendError() {
	m := http1.New(nil)
	_, err := m.Next([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), new(http1.Head))
	fmt.Println(err)
	fmt.Printf("%q\n", m.AppendError(nil, err.(*http1.Error).Status, "", ""))
	// Output:
	// http1: both Transfer-Encoding and Content-Length (RFC 9112 §6.1)
	// "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\nConnection: close\r\n\r\nBad Request\n"
}
