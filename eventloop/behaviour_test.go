package eventloop_test

import (
	"strings"
	"time"
)

// behaviours are what a protocol may rely on. Each runs on the fake and over
// loopback.
var behaviours = []struct {
	name   string
	open   func(*proto)
	script func(peer)
	want   string // transcript
	sent   string
	how    string
}{
	{
		name:   "half-close is not a close",
		open:   func(p *proto) { p.onEOF = func() { p.Write([]byte("late answer")); p.Close() } },
		script: func(r peer) { r.send("question"); r.halfClose() },
		want:   "data question; eof; closed",
		sent:   "late answer", how: "fin",
	},
	{
		name: "close flushes, and is the end of delivery",
		open: func(p *proto) {
			p.onData = func(string) { p.Write([]byte("bye")); p.Close(); p.Write([]byte("not sent")); p.Schedule() }
		},
		script: func(r peer) { r.send("quit"); r.await("data quit"); r.send("ignored"); r.halfClose() },
		want:   "data quit; closed",
		sent:   "bye", how: "fin",
	},
	{
		name: "end of our stream, then of the peer's",
		open: func(p *proto) {
			p.onData = func(string) { p.Write([]byte("all")); p.CloseWrite(); p.Write([]byte("x")) }
		},
		script: func(r peer) { r.send("a"); r.await("data a"); r.send("b"); r.await("data ab"); r.halfClose() },
		want:   "data ab; eof; closed",
		sent:   "all", how: "fin",
	},
	{
		name:   "end of the peer's stream, then of ours",
		open:   func(p *proto) { p.onEOF = func() { p.Write([]byte("rest")); p.CloseWrite() } },
		script: func(r peer) { r.halfClose() },
		want:   "eof; closed",
		sent:   "rest", how: "fin",
	},
	{
		name:   "abort",
		open:   func(p *proto) { p.onData = func(string) { p.Write([]byte("half a mess")); p.Abort(); p.Close() } },
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: aborted locally",
		how:    "reset",
	},
	{
		name:   "a panic costs the conn",
		open:   func(p *proto) { p.onData = func(string) { panic("oops") } },
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: eventloop: panic: oops",
		how:    "reset",
	},
	{
		name:   "a panic in a timer costs the conn",
		open:   func(p *proto) { p.onData = func(string) { p.AfterFunc(0, func() { panic("tick") }) } },
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: eventloop: panic: tick",
		how:    "reset",
	},
	{
		name:   "a panic in a posted function costs the conn",
		open:   func(p *proto) { p.onData = func(string) { p.Post(func() { panic("post") }) } },
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: eventloop: panic: post",
		how:    "reset",
	},
	{
		name:   "reset by the peer",
		script: func(r peer) { r.send("x"); r.await("data x"); r.reset() },
		want:   "data x; closed: connection reset by peer",
	},
	{
		name:   "reset by the peer while reading is paused",
		open:   func(p *proto) { p.onData = func(string) { p.PauseRead() } },
		script: func(r peer) { r.send("x"); r.await("data x"); r.send("unread"); r.reset() },
		want:   "data x; closed: connection reset by peer",
	},
	{
		name:   "reset by the peer after its end of stream",
		open:   func(p *proto) { p.onEOF = func() { p.Write([]byte("to nobody")) } },
		script: func(r peer) { r.send("x"); r.close() },
		want:   "data x; eof; closed: connection reset by peer",
	},
	{
		name: "a pause keeps what arrives, and its order",
		open: func(p *proto) {
			p.onData = func(b string) {
				if b == "1" {
					p.PauseRead()
					p.PauseRead()
					p.AfterFunc(50*time.Millisecond, func() { p.log.add("resume"); p.ResumeRead(); p.ResumeRead() })
				}
			}
			p.onEOF = p.Close
		},
		script: func(r peer) { r.send("1"); r.await("data 1"); r.send("23"); r.await("data 23"); r.halfClose() },
		want:   "data 1; resume; data 23; eof; closed",
		how:    "fin",
	},
	{
		name: "the peer's end of stream is told ahead of what a pause keeps",
		open: func(p *proto) {
			p.onData = func(b string) {
				if b == "1" {
					p.PauseRead()
				}
			}
			p.onPeerEnded = func() { p.AfterFunc(0, p.ResumeRead) }
			p.onEOF = p.Close
		},
		script: func(r peer) { r.send("1"); r.await("data 1"); r.send("unread"); r.halfClose() },
		want:   "data 1; peer ended; data unread; eof; closed",
		how:    "fin",
	},
	{
		name: "the peer's end of stream is told though a pause keeps nothing else",
		open: func(p *proto) {
			p.onData = func(string) { p.PauseRead() }
			p.onPeerEnded = p.Close
		},
		script: func(r peer) { r.send("1"); r.await("data 1"); r.halfClose() },
		want:   "data 1; peer ended; closed",
		how:    "fin",
	},
	{
		name: "a peer that closes while reading is paused",
		open: func(p *proto) {
			p.onData = func(string) { p.PauseRead() }
			p.onPeerEnded = func() { p.Write([]byte("to nobody")) }
		},
		script: func(r peer) { r.send("1"); r.await("data 1"); r.send("unread"); r.close() },
		want:   "data 1; peer ended; closed: connection reset by peer",
	},
	{
		name: "a turn comes once, before the flush",
		open: func(p *proto) {
			p.onData = func(string) { p.Schedule(); p.Schedule(); p.Write([]byte("a")) }
			p.onTurn = func() { p.Write([]byte("b")); p.Close() }
		},
		script: func(r peer) { r.send("x"); r.await("turn"); r.halfClose() },
		want:   "data x; turn; closed",
		sent:   "ab", how: "fin",
	},
	{
		name: "a turn may ask for another",
		open: func(p *proto) {
			n := 0
			p.onData = func(string) { p.Schedule() }
			p.onTurn = func() {
				if n++; n < 3 {
					p.Schedule()
				} else {
					p.Close()
				}
			}
		},
		script: func(r peer) { r.send("x"); r.await("turn; turn; turn"); r.halfClose() },
		want:   "data x; turn; turn; turn; closed",
		how:    "fin",
	},
	{
		name: "a deadline fires once and can be cleared",
		open: func(p *proto) {
			p.SetDeadline(p.Now().Add(30 * time.Millisecond))
			p.SetDeadline(p.Now().Add(60 * time.Millisecond))
			p.onDeadline = func() {
				p.SetDeadline(p.Now().Add(20 * time.Millisecond))
				p.SetDeadline(time.Time{})
			}
			p.onEOF = func() { p.AfterFunc(100*time.Millisecond, p.Close) }
		},
		script: func(r peer) { r.await("deadline"); r.halfClose() },
		want:   "deadline; eof; closed",
		how:    "fin",
	},
	{
		name: "timers end with the conn",
		open: func(p *proto) {
			stopped := p.AfterFunc(0, func() { p.log.add("stopped timer") })
			stopped.Stop()
			p.onData = func(string) {
				p.AfterFunc(20*time.Millisecond, func() { p.log.add("late timer") })
				p.Abort()
			}
		},
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: aborted locally",
		how:    "reset",
	},
	{
		name: "posted functions come in order, and not after the end",
		open: func(p *proto) {
			p.onData = func(string) {
				p.Post(func() { p.log.add("1") })
				p.Post(func() { p.log.add("2"); p.Abort() })
				p.Post(func() { p.log.add("3") })
			}
		},
		script: func(r peer) { r.send("x") },
		want:   "data x; 1; 2; closed: aborted locally",
		how:    "reset",
	},
	{
		name: "reserve and commit",
		open: func(p *proto) {
			p.onData = func(b string) {
				p.Write([]byte("<"))
				p.Reserve(10) // not committed: nothing happens
				p.Commit(append(p.Reserve(len(b)), b...))
				p.Commit(append(p.Reserve(1), strings.Repeat("-", 5000)...))
				p.Commit([]byte(">"))
				p.Commit(nil)
				p.Close()
			}
		},
		script: func(r peer) { r.send("hello"); r.await("data hello"); r.halfClose() },
		want:   "data hello; closed",
		sent:   "<hello" + strings.Repeat("-", 5000) + ">", how: "fin",
	},
}
