package eventloop

func (s *socket) CloseWrite() {
	s.loop.assertOwner()
	if s.phase == opened && !s.has(finWanted) {
		s.set(finWanted)
		s.touch()
	}
}

func (s *socket) Close() {
	s.loop.assertOwner()
	if s.phase != opened {
		return
	}
	s.phase = flushing
	s.deadline = s.loop.after(s.loop.config.CloseTimeout)
	s.await()
	s.touch()
}

func (s *socket) Abort() {
	s.loop.assertOwner()
	s.end(ErrAborted)
}

// finishWriting takes the next step of a close once the outbox is empty.
func (s *socket) finishWriting() {
	switch {
	case s.phase == flushing && (s.has(inputOver) || s.loop.config.LingerTimeout == 0):
		s.end(nil) // closing the socket sends our end of stream
	case s.phase == flushing:
		s.sendFIN()
		s.linger()
	case s.phase == opened && s.has(finWanted) && !s.has(finSent):
		s.sendFIN()
		if s.has(inputOver) {
			s.end(nil)
		}
	}
}

func (s *socket) sendFIN() {
	if s.has(finSent) {
		return
	}
	s.set(finSent)
	if err := s.loop.kernel.CloseWrite(int(s.fd)); err != nil {
		s.end(ioError(err))
	}
}

// linger waits for the peer to end its stream as well.
func (s *socket) linger() {
	if s.phase == ended {
		return
	}
	s.phase = lingering
	s.deadline = s.loop.after(s.loop.config.LingerTimeout)
	s.await()
	if s.has(readable) {
		s.queue()
	}
}
