package websocket

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// prefix stands for output that waits already: no method may touch it.
const prefix = "before"

// checkAppend wants out to be the prefix and the replies.
func checkAppend(t *testing.T, out []byte, err error, want ...reply) {
	t.Helper()
	if err != nil || !strings.HasPrefix(string(out), prefix) {
		t.Fatalf("%q %v", out, err)
	}
	got, err := replies(out[len(prefix):])
	if err != nil {
		t.Fatal(err)
	}
	checkReplies(t, "append", got, want)
}

// checkRefused wants err, and nothing changed by it.
func checkRefused(t *testing.T, m *Machine, before Machine, out []byte, err, want error) {
	t.Helper()
	if err != want {
		t.Fatalf("error %v, want %v", err, want)
	}
	if string(out) != prefix {
		t.Fatalf("output became %q", out)
	}
	if m.closeSent != before.closeSent {
		t.Fatal("the machine changed")
	}
	var application *MessageError
	if !errors.As(err, &application) && err != ErrCloseSent {
		t.Fatalf("error %T", err)
	}
}

func TestAppendMessage(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		m := New(nil)
		out, err := m.AppendMessage([]byte(prefix), Text, []byte(repeat("aé", size/3*3)))
		checkAppend(t, out, err, answer(OpText, repeat("aé", size/3*3)))
		out, err = m.AppendMessage([]byte(prefix), Binary, []byte(repeat("\xfe", size)))
		checkAppend(t, out, err, answer(OpBinary, repeat("\xfe", size)))
	}
	m := New(nil)
	before := *m
	for _, bad := range []string{"\xff", "ok\xc3", "\xed\xa0\x80"} {
		out, err := m.AppendMessage([]byte(prefix), Text, []byte(bad))
		checkRefused(t, m, before, out, err, errSendText)
	}
	for _, kind := range []MessageKind{0, 3, MessageKind(OpClose), MessageKind(OpPing)} {
		out, err := m.AppendMessage([]byte(prefix), kind, nil)
		checkRefused(t, m, before, out, err, errSendKind)
	}
}

func TestAppendControl(t *testing.T) {
	m := New(nil)
	for _, size := range []int{0, 1, 125} {
		payload := repeat("\xfe", size)
		out, err := m.AppendPing([]byte(prefix), []byte(payload))
		checkAppend(t, out, err, answer(OpPing, payload))
		out, err = m.AppendPong([]byte(prefix), []byte(payload))
		checkAppend(t, out, err, answer(OpPong, payload))
	}
	out, err := m.AppendPing([]byte(prefix), make([]byte, 126))
	checkRefused(t, m, *m, out, err, errSendControl)
	out, err = m.AppendPong([]byte(prefix), make([]byte, 126))
	checkRefused(t, m, *m, out, err, errSendControl)
}

// https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1: "The application MUST
// NOT send any more data frames after sending a Close frame."
func TestNothingAfterClose(t *testing.T) {
	for _, code := range []int{CloseNormal, CloseNoStatus} {
		m := New(nil)
		if _, err := m.AppendClose(nil, code, ""); err != nil {
			t.Fatal(err)
		}
		before := *m
		out, err := m.AppendMessage([]byte(prefix), Text, []byte("more"))
		checkRefused(t, m, before, out, err, ErrCloseSent)
		out, err = m.AppendPing([]byte(prefix), nil)
		checkRefused(t, m, before, out, err, ErrCloseSent)
		out, err = m.AppendPong([]byte(prefix), nil)
		checkRefused(t, m, before, out, err, ErrCloseSent)
		out, err = m.AppendClose([]byte(prefix), CloseNormal, "")
		checkRefused(t, m, before, out, err, ErrCloseSent)
	}
}

func TestAppendClose(t *testing.T) {
	out, err := New(nil).AppendClose([]byte(prefix), CloseNoStatus, "left out")
	checkAppend(t, out, err, answer(OpClose, ""))
	for code := -1; code <= 1<<16+CloseNormal; code++ {
		m := New(nil)
		before := *m
		out, err := m.AppendClose([]byte(prefix), code, "why")
		switch {
		case code == CloseNoStatus:
		case 1000 <= code && code <= 1003, 1007 <= code && code <= 1014, 3000 <= code && code <= 4999:
			checkAppend(t, out, err, closeReply(code, "why"))
		default:
			checkRefused(t, m, before, out, err, errSendCloseCode)
		}
	}
	m := New(nil)
	out, err = m.AppendClose([]byte(prefix), CloseNormal, "\xff")
	checkRefused(t, m, *m, out, err, errSendCloseReason)
}

// A reason is cut to 123 bytes, between two characters.
func TestCloseReasonIsCut(t *testing.T) {
	for _, filler := range []string{"a", "é", "€", "🙂"} {
		for shift := range 4 {
			for size := 118; size < 260; size++ {
				reason := strings.Repeat("x", shift) + strings.Repeat(filler, size/len(filler))
				out, err := New(nil).AppendClose([]byte(prefix), CloseNormal, reason)
				if err != nil {
					t.Fatal(err)
				}
				got := string(out[len(prefix)+4:])
				if len(got) > MaxReasonBytes || !strings.HasPrefix(reason, got) || !utf8.ValidString(got) {
					t.Fatalf("%q became %q", reason, got)
				}
				if len(got) < len(reason) && len(got)+len(filler) <= MaxReasonBytes {
					t.Fatalf("%q was cut too far: %q", reason, got)
				}
			}
		}
	}
}

// Every reason of ours fits a close.
func TestErrorsFitAClose(t *testing.T) {
	for _, e := range []*Error{errReservedBits, errReservedOpcode, errUnmasked, errLengthTopBit, errNothingToContinue,
		errMessageUnfinished, errControlFragmented, errControlTooLong, errCloseTooShort, errCloseCode, errCloseReason,
		errNotUTF8, errTooBig} {
		out, err := New(nil).AppendClose([]byte(prefix), e.Code, e.Reason)
		checkAppend(t, out, err, closeReply(e.Code, e.Reason))
	}
}

// AppendFrame and AppendHeader make the same frame.
func TestFramesWithoutMachine(t *testing.T) {
	for _, size := range []int{0, 125, 126, 65535, 65536} {
		payload := repeat("*", size)
		frame := AppendFrame([]byte(prefix), OpText, []byte(payload))
		checkAppend(t, frame, nil, answer(OpText, payload))
		header := AppendHeader([]byte(prefix), OpText, size)
		if string(header)+payload != string(frame) {
			t.Fatalf("size %d: header % x", size, header)
		}
	}
}
