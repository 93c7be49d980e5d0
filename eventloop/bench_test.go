package eventloop

import (
	"testing"
)

func BenchmarkEcho(b *testing.B) {
	checkOwner = false
	defer func() { checkOwner = true }()
	s := serve(b, Config{Open: echo, Loops: 1})
	c := s.dial()
	p := make([]byte, 125)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(p); err != nil {
			b.Fatal(err)
		}
	}
}
