package handlers

import "github.com/gale-server/gale/asgi"

// answerLifespan is the lifespan of an application that has nothing to start or
// stop: both questions are answered at once.
//
// See https://asgi.readthedocs.io/en/latest/specs/lifespan.html.
func answerLifespan(x asgi.Exchange) asgi.Receiver {
	return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
		switch ev.(type) {
		case *asgi.LifespanStartup:
			_ = x.Send(&asgi.LifespanStartupComplete{})
		case *asgi.LifespanShutdown:
			_ = x.Send(&asgi.LifespanShutdownComplete{})
		}
	})
}
