package eventloop

import (
	"testing"
)

func TestEcho(t *testing.T) {
	s := serve(t, Config{Open: echo})
	c := s.dial()
	for range 3 {
		write(t, c, "hello")
		if got := readN(t, c, 5); got != "hello" {
			t.Fatalf("got %q", got)
		}
	}
}
