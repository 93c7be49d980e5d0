package handlers

// ErrBodyTooLarge says that a request body passed the given bound. A server that
// gets it back from an application answers 413 (Content Too Large).
var ErrBodyTooLarge error = bodyTooLarge{}

type bodyTooLarge struct{}

func (bodyTooLarge) Error() string   { return "handlers: request body too large" }
func (bodyTooLarge) HTTPStatus() int { return 413 }
