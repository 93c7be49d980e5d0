package eventloop

// Places is how many conns have said where their next read is to go.
func (l *Loop) Places() int { return len(l.places) }
