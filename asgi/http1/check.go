package http1

import "strconv"

// CheckStart reports the error AppendStart would return for r, and does nothing
// else: for a caller that holds a response's start back until its body comes.
// With BodyBytes -1 it does not compare Content-Length with the body.
func (m *Machine) CheckStart(r *Response) error {
	if err := m.permit(opStart); err != nil {
		return err
	}
	if r.Status < 200 || r.Status > 599 {
		return &ResponseError{Reason: "status " + strconv.Itoa(r.Status) + " is not final (RFC 9110 §15)"}
	}
	p, err := inspect(r.Headers)
	if err != nil {
		return err
	}
	if _, _, err := m.frame(r, &p); err != nil {
		return err
	}
	return nil
}
