package nethttp_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/nethttp"
)

// parks is a handler that receives nothing, and never answers.
func parks(there, left chan<- string) asgi.Handler {
	return asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if s.Type == asgi.ScopeLifespan {
			x.End(asgi.ErrUnsupportedScope)
			return nil
		}
		x.Pause()
		there <- s.Path
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
			if _, ok := ev.(*asgi.HTTPDisconnect); ok {
				left <- s.Path
			}
		})
	})
}

// A client that leaves behind a byte of its next request is missed over TLS, too:
// what is encrypted hides the byte, not the end.
func TestDepartureOverTLS(t *testing.T) {
	asgitest.CheckLeaks(t)
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	config := &tls.Config{Certificates: cert.TLS.Certificates, NextProtos: []string{"http/1.1"}}
	cert.Close()
	there, left := make(chan string, 1), make(chan string, 1)
	addr := serve(t, nethttp.Config{Handler: parks(there, left), TLS: config})
	for _, more := range []string{"", "G"} {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: h\r\n\r\n%s", more, more)
		hears(t, there)
		c.Close()
		hears(t, left)
	}
}

// A client that resets the connection is missed though nobody reads its upload.
func TestResetOfAnUnreadUpload(t *testing.T) {
	asgitest.CheckLeaks(t)
	there, left := make(chan string, 1), make(chan string, 1)
	addr := serve(t, nethttp.Config{Handler: parks(there, left), DepartTimeout: -1})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nunread")
	hears(t, there)
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	hears(t, left)
}

func hears(t *testing.T, c <-chan string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing is heard")
	}
}
