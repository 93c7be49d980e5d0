package websocket

import "testing"

// echo is the smallest server: it answers messages with themselves, pings with
// pongs, the peer's close with a close, and a broken rule with its code. It
// stops reading when it has sent its close.
type echo struct {
	m   Machine
	out []byte
}

// read takes what the peer sent and reports whether the connection goes on.
func (e *echo) read(p []byte) (open bool, err error) {
	for len(p) > 0 && !e.m.CloseSent() {
		event, failure := next(&e.m, p)
		if failure != nil {
			broken := failure.(*Error)
			e.out, err = e.m.AppendClose(e.out, broken.Code, broken.Reason)
			return false, err
		}
		p = p[event.N:]
		switch event.Kind {
		case Message:
			e.out, err = e.m.AppendMessage(e.out, event.Message, event.Data)
		case Ping:
			e.out, err = e.m.AppendPong(e.out, event.Data)
		case Close:
			e.out, err = e.m.AppendClose(e.out, event.Code, "")
		}
		if err != nil {
			return false, err
		}
	}
	return !e.m.CloseSent(), nil
}

// runEcho gives in to an echo server in pieces and returns what its client reads.
func runEcho(t testing.TB, cfg *Config, in []byte, piece func(rest int) int) []reply {
	t.Helper()
	var server echo
	server.m.Init(cfg)
	for at := 0; at < len(in); {
		p := append([]byte(nil), in[at:at+max(1, min(piece(len(in)-at), len(in)-at))]...)
		at += len(p)
		open, err := server.read(p)
		if err != nil {
			t.Fatal(err)
		}
		if !open {
			break
		}
	}
	got, err := replies(server.out)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func checkReplies(t *testing.T, name string, got, want []reply) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: replies %v, want %v", name, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: reply %d is %v, want %v", name, i, got[i], want[i])
		}
	}
}
