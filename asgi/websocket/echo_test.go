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
		event, failure := e.m.Next(p)
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

// vector is one case of a table: what a client sends, and what it must get.
type vector struct {
	id   string
	in   []byte
	want []reply
	chop int // the size of the pieces the case itself prescribes, 0 for none
}

// clean is a case that ends with the client's close, after the given answers.
func clean(id string, frames []sent, want ...reply) vector {
	in := stream(append(frames, closing(CloseNormal, ""))...)
	return vector{id: id, in: in, want: append(want, closeReply(CloseNormal, ""))}
}

// broken is a case that the server must end because of failure.
func broken(id string, frames []sent, failure *Error, want ...reply) vector {
	return vector{id: id, in: stream(frames...), want: append(want, closeReply(failure.Code, failure.Reason))}
}

func (v vector) chopped(size int) vector {
	v.chop = size
	return v
}

// run holds the case whole, cut in every way, and with data after its end.
func (v vector) run(t *testing.T) {
	t.Helper()
	cfg := new(Config)
	checkSplits(t, cfg, v.in)
	for name, in := range map[string][]byte{
		"alone":              v.in,
		"with a frame after": append(v.in[:len(v.in):len(v.in)], stream(text("after the end"), ping(""))...),
		"with trash after":   append(v.in[:len(v.in):len(v.in)], 0xff, 0xff, 0x00),
	} {
		checkReplies(t, name, runEcho(t, cfg, in, whole), v.want)
		if len(in) <= 1<<17 {
			checkReplies(t, name+", byte by byte", runEcho(t, cfg, in, chops(1)), v.want)
		}
		if v.chop > 0 {
			checkReplies(t, name+", chopped", runEcho(t, cfg, in, chops(v.chop)), v.want)
		}
	}
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

func runVectors(t *testing.T, vectors []vector) {
	for _, v := range vectors {
		t.Run(v.id, v.run)
	}
}
