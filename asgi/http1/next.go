package http1

import "bytes"

// nextHead reads a head. One that lies whole in p is read in place; of one that
// does not, what has arrived is kept.
func (m *Machine) nextHead(p []byte, h *Head) (Event, error) {
	if len(m.buf) > 0 {
		return m.resumeHead(p, h)
	}
	skipped := 0
	if m.flags&flagBlank == 0 && len(p) >= 2 && p[0] == '\r' && p[1] == '\n' {
		m.flags |= flagBlank
		skipped = 2
	}
	n, done, err := h.parse(p[skipped:], m.cfg)
	switch {
	case err != nil:
		return Event{}, m.fail(err)
	case done:
		return m.request(skipped+n, h), nil
	}
	m.buf = append(m.buf, p[skipped:]...)
	m.checked, m.lines = int32(n), int32(h.lines)
	return Event{N: len(p)}, nil
}

// resumeHead continues a head that began in an earlier call, line by line. The
// lines before are not looked at again until the head is complete, so that one
// octet per call costs no more than the octet.
func (m *Machine) resumeHead(p []byte, h *Head) (Event, error) {
	for n := 0; ; {
		limit := m.cfg.maxRequestLine()
		if m.lines > 0 {
			limit = m.cfg.maxHead()
		}
		k, full := m.gather(p[n:], limit)
		n += k
		if m.lines == 0 {
			if _, err := method(m.buf); err != nil {
				return Event{}, m.fail(err)
			}
		}
		if !full {
			if len(m.buf) >= limit {
				return Event{}, m.fail(overflow(int(m.lines)))
			}
			return Event{N: n}, nil
		}
		h.reset()
		h.data, h.lines = m.buf, int(m.lines)
		last, err := h.line(int(m.checked), m.cfg)
		switch {
		case err == errEmptyLine && m.flags&flagBlank == 0:
			m.flags |= flagBlank
			m.buf = nil
			ev, rest := m.nextHead(p[n:], h)
			ev.N += n
			return ev, rest
		case err != nil:
			return Event{}, m.fail(err)
		case last:
			return m.completeHead(n, h)
		}
		m.checked, m.lines = int32(len(m.buf)), int32(h.lines)
	}
}

// completeHead reads the whole of a head that arrived in parts. Its memory is
// h's from here on.
func (m *Machine) completeHead(n int, h *Head) (Event, error) {
	head := m.buf
	m.buf, m.checked, m.lines = nil, 0, 0
	if _, _, err := h.parse(head, m.cfg); err != nil {
		return Event{}, m.fail(err)
	}
	return m.request(n, h), nil
}

// gather moves octets of p into buf: n of them, through the next LF if full, and
// never more than limit altogether.
func (m *Machine) gather(p []byte, limit int) (n int, full bool) {
	p = p[:min(len(p), limit-len(m.buf))]
	n = bytes.IndexByte(p, '\n') + 1
	if full = n > 0; !full {
		n = len(p)
	}
	m.buf = append(m.buf, p[:n]...)
	return n, full
}

// request takes from h what the rest of the exchange depends on.
func (m *Machine) request(n int, h *Head) Event {
	m.out = outHead
	m.drain = m.cfg.maxDrain()
	switch {
	case h.Chunked():
		m.in = inChunkLine
	case h.length > 0:
		m.in, m.remaining = inLength, h.length
	default:
		m.in = inEnd
	}
	switch string(h.Method()) {
	case "HEAD":
		m.flags |= flagHead
	case "CONNECT":
		// What the client sends next may be meant for a tunnel that will not exist.
		m.flags |= flagConnect | flagClose
	}
	if h.minor == 0 {
		m.flags |= flagOld
	}
	if !h.KeepAlive() {
		m.flags |= flagClose
	}
	if h.ExpectContinue() {
		m.flags |= flagContinue
	}
	if h.Upgrade() != nil {
		m.flags |= flagUpgrade
	}
	if h.AcceptsTrailers() {
		m.flags |= flagTrailers
	}
	return Event{Kind: Request, N: n}
}

// nextBody reads a body up to its next part or its end.
func (m *Machine) nextBody(p []byte) (Event, error) {
	if len(p) > 0 && m.in != inEnd {
		m.flags &^= flagContinue // the client did not wait
	}
	switch m.in {
	case inLength:
		if m.remaining > 0 {
			return m.part(p, 0), nil
		}
		m.in = inDone
		return Event{Kind: End}, nil
	case inEnd:
		m.in = inDone
		return Event{Kind: End}, nil
	}
	return m.nextChunked(p)
}

// part reports as much of the body or chunk as p[n:] has.
func (m *Machine) part(p []byte, n int) Event {
	k := int(min(m.remaining, int64(len(p)-n)))
	if k == 0 {
		return Event{N: n}
	}
	m.remaining -= int64(k)
	return Event{Kind: Body, N: n + k, Data: p[n : n+k : n+k]}
}

// drainBody reads and drops the rest of a body whose request is answered, so
// that the connection can carry the next. The octets count, framing included;
// nextBody sees one more than is allowed, so that its verdict on those allowed
// comes first however p was cut.
func (m *Machine) drainBody(p []byte, h *Head) (Event, error) {
	for n := 0; ; {
		window := p[n:]
		if int64(len(window)) > m.drain {
			window = window[:m.drain+1]
		}
		ev, err := m.nextBody(window)
		n += ev.N
		m.drain -= int64(ev.N)
		switch {
		case err != nil:
			return Event{}, err
		case m.drain < 0:
			m.close()
			return Event{Kind: Closed, N: len(p)}, nil
		case ev.Kind == End:
			m.idle()
			ev, err = m.Next(p[n:], h)
			ev.N += n
			return ev, err
		case ev.Kind == NeedData:
			return Event{N: n}, nil
		}
	}
}
