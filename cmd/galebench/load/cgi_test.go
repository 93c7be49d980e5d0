package load

import "testing"

func TestPageReader(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	stream := head + "Content-Length: 5\r\n\r\nhello" + head + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" + head + "content-length: 5\r\n\r\nhello"
	for cut := range len(stream) {
		r := NewPage("/", "hello").newReader()
		n, err := r.read([]byte(stream[:cut]))
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.read([]byte(stream[cut:]))
		if n+m != 3 || err != nil {
			t.Fatalf("cut at %d: %d, %v", cut, n+m, err)
		}
	}
	for _, bad := range []string{
		"HTTP/1.1 503 No\r\n\r\n", head + "Content-Length: 5\r\n\r\nhallo", head + "\r\n5\r\nhallo\r\n0\r\n\r\n", head + "\r\nx\r\n",
	} {
		if n, err := NewPage("/", "hello").newReader().read([]byte(bad)); n != 0 && err == nil || err == nil {
			t.Errorf("%q: %d, %v", bad, n, err)
		}
	}
}
