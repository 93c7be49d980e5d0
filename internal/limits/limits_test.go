package limits

import (
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		field string
		value any
		want  string
	}{
		{"HeadTimeout", 10 * time.Second, "10 s"},
		{"BlockedAfter", 100 * time.Millisecond, "100 ms"},
		{"MinBodyRate", 240, "240 B/s"},
		{"MaxChunkExtensionBytes", 256, "256 B"},
		{"MaxHeadBytes", 64 << 10, "64 KiB"},
		{"MaxBodyBytes", int64(1 << 30), "1 GiB"},
		{"LowWatermark", 1025, "1025 B"},
		{"MaxFields", 100, "100"},
		{"MailboxTasks", 1 << 20, "1,048,576"},
	} {
		if got := Format(test.field, test.value); got != test.want {
			t.Errorf("%s %v: %q, want %q", test.field, test.value, got, test.want)
		}
	}
}
