package subprocess

import (
	"fmt"
	"strings"
	"testing"
)

func TestCapture(t *testing.T) {
	var c Capture
	_, _ = c.Write([]byte("start "))
	for i := range 10000 {
		_, _ = c.Write([]byte(fmt.Sprintf("line %d\n", i)))
	}
	got := string(c.Bytes())
	if !strings.HasPrefix(got, "start line 0\n") || !strings.HasSuffix(got, "line 9999\n") || !strings.Contains(got, "\n[...]\n") || len(got) > 3*captureBytes || cap(c.tail) > 8*captureBytes {
		t.Errorf("%d bytes: %.40q", len(got), got)
	}
	_, _ = c.Write(make([]byte, 1<<20))
	if len(c.tail) > 2*captureBytes {
		t.Errorf("%d bytes are kept", len(c.tail))
	}
	c.Reset()
	_, _ = c.Write([]byte("a"))
	if got := string(c.Bytes()); got != "a" {
		t.Errorf("%q", got)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", MaxLineBytes)
	var got []string
	Lines(strings.NewReader("a\r\n\n"+long+"yz\nlast"), func(line []byte) { got = append(got, string(line)) })
	want := []string{"a", long, "yz", "last"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d lines: %.60q", len(got), got)
	}
}
