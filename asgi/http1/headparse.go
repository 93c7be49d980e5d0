package http1

import "bytes"

// parse reads the head at the start of p. With done it took n octets and h is
// complete; without, p ends inside the head and its complete lines, which end
// at n, are in order. A line is judged when its end is there and not before, so
// that the verdict does not depend on how p was cut; only what cannot be a method
// is refused at its first octet, as TLS and other protocols never end a line.
func (h *Head) parse(p []byte, cfg *Config) (n int, done bool, err *Error) {
	h.reset()
	if _, err := method(p); err != nil {
		return 0, false, err
	}
	limit := cfg.maxRequestLine()
	for {
		i := bytes.IndexByte(p[n:min(len(p), limit)], '\n')
		if i < 0 {
			if len(p) >= limit {
				return n, false, overflow(h.lines)
			}
			return n, false, nil
		}
		h.data = p[:n+i+1]
		last, err := h.line(n, cfg)
		n += i + 1
		switch {
		case err != nil:
			return n, false, err
		case last:
			return n, true, h.judge(cfg)
		}
		limit = cfg.maxHead()
	}
}

// overflow is the error for a line that does not end within its limit; that
// many lines come before it.
func overflow(lines int) *Error {
	if lines == 0 {
		return errLineLimit
	}
	return errHeadLimit
}

// line reads the line h.data[at:], which ends in LF. last is true for the empty
// line that ends the head. It judges the line alone: what takes several fields
// to judge waits for judge.
func (h *Head) line(at int, cfg *Config) (last bool, err *Error) {
	line, err := content(h.data[at:])
	if err != nil {
		return false, err
	}
	h.lines++
	if h.lines == 1 {
		return false, h.requestLine(line, uint32(at), cfg)
	}
	if len(line) == 0 {
		return true, nil
	}
	if h.lines-1 > cfg.maxFields() {
		return false, errFieldLimit
	}
	f, err := parseField(line, uint32(at))
	if err != nil {
		return false, err
	}
	h.fields = append(h.fields, f)
	h.note(f)
	return false, nil
}

// content is line without its CRLF. A recipient may take a bare LF for a line
// end (RFC 9112 §2.2); those that do disagree with those that do not.
func content(line []byte) ([]byte, *Error) {
	n := len(line)
	if n < 2 || line[n-2] != '\r' {
		return nil, errBareLF
	}
	return line[:n-2], nil
}

// method returns the length of the method that p begins with, as far as it is
// there (RFC 9112 §3.1). What ends a line is left to requestLine.
func method(p []byte) (n int, err *Error) {
	for n < len(p) && n <= maxMethodBytes && octets[p[n]]&isToken != 0 {
		n++
	}
	switch {
	case n > maxMethodBytes:
		return 0, errMethodLimit
	case n == len(p) || p[n] == '\r' || p[n] == '\n':
	case n == 0 || p[n] != ' ':
		return 0, errMethod
	}
	return n, nil
}

// requestLine reads method SP target SP version (RFC 9112 §3): exactly one SP
// each, as anything more lenient lets two recipients see two targets.
func (h *Head) requestLine(line []byte, at uint32, cfg *Config) *Error {
	if len(line) == 0 {
		return errEmptyLine
	}
	n, err := method(line)
	switch {
	case err != nil:
		return err
	case n == 0 || n < len(line) && line[n] != ' ':
		return errMethod
	}
	h.method = span{at, at + uint32(n)}

	rest := line[min(n+1, len(line)):]
	sp := bytes.IndexByte(rest, ' ')
	if sp <= 0 {
		return errRequestLine
	}
	if sp > cfg.maxTarget() {
		return errTargetLimit
	}
	from := at + uint32(n) + 1
	h.target = span{from, from + uint32(sp)}
	if err := h.version(rest[sp+1:]); err != nil {
		return err
	}
	return h.parseTarget(rest[:sp], from)
}

// version reads HTTP-version (RFC 9112 §2.3). Only 1.0 and 1.1 are served: no
// other minor version exists, and a client that claims one is no client.
func (h *Head) version(v []byte) *Error {
	switch string(v) {
	case "HTTP/1.1":
		h.minor = 1
		return nil
	case "HTTP/1.0":
		return nil
	}
	if len(v) == 8 && string(v[:5]) == "HTTP/" && v[6] == '.' && octets[v[5]]&octets[v[7]]&isDigit != 0 {
		return errVersionMajor
	}
	return errVersion
}

// parseField reads name ":" OWS value OWS (RFC 9112 §5).
func parseField(line []byte, at uint32) (field, *Error) {
	n := 0
	for n < len(line) && octets[line[n]]&isToken != 0 {
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' {
		return field{}, misnamed(line, n)
	}
	from, to := n+1, len(line)
	for from < to && (line[from] == ' ' || line[from] == '\t') {
		from++
	}
	for to > from && (line[to-1] == ' ' || line[to-1] == '\t') {
		to--
	}
	if !clean(line[from:to]) {
		return field{}, errFieldValue
	}
	return field{
		name:  span{at, at + uint32(n)},
		value: span{at + uint32(from), at + uint32(to)},
	}, nil
}

// misnamed tells why the token of n octets that line begins with is no field name.
func misnamed(line []byte, n int) *Error {
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return errFold
	case n == len(line):
		return errNoColon
	case n > 0 && (line[n] == ' ' || line[n] == '\t'):
		return errSpaceColon
	}
	return errFieldName
}
