package eventloop

import "time"

// The methods of Conn that are about neither bytes nor closing.

func (s *socket) Schedule() {
	s.loop.assertOwner()
	if s.phase == opened {
		s.set(scheduled)
		s.touch()
	}
}

func (s *socket) SetDeadline(t time.Time) {
	s.loop.assertOwner()
	if s.phase != opened {
		return
	}
	if t.IsZero() {
		s.deadline = 0
		return
	}
	s.deadline = min(max(1, t.Sub(s.loop.base)), endless)
	s.await()
}

func (s *socket) Now() time.Time { return s.loop.now }

func (s *socket) AfterFunc(d time.Duration, fn func()) *Timer {
	s.loop.assertOwner()
	return s.loop.newTimer(s, d, fn)
}

func (s *socket) Post(fn func()) bool {
	return s.loop.mailbox.post(task{conn: s, fn: fn})
}

func (s *socket) Ended() bool { return s.phase == ended }

func (s *socket) Loop() *Loop { return s.loop }

func (s *socket) LocalAddr() Addr {
	a := s.listener.addr
	if a.Path != "" || !a.AddrPort.Addr().IsUnspecified() || s.phase == ended {
		return a
	}
	if exact := s.loop.kernel.LocalAddr(int(s.fd)); exact.IsValid() {
		return Addr{AddrPort: exact}
	}
	return a
}

func (s *socket) RemoteAddr() Addr { return Addr{AddrPort: s.remote} }
