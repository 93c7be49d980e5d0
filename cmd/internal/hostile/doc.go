// Package hostile holds clients that a server on the open internet meets sooner
// or later: those that are slow, deaf, greedy, broken or gone. Each is an
// [Attack] with a name, in a list; [Witnesses] are the honest clients who must
// not notice.
//
// An attack speaks raw TCP and knows nothing of the server but what it is told
// in a [Target]. It returns an error when the server answers what it should
// not; that the server keeps its memory, its descriptors and its other clients
// is for whoever runs the attack to see.
//
// # What the server must offer
//
// Below Target.Path, which picks a form of application or is empty:
//
//	/echo     answers GET with its own path and query, POST with the body; a
//	          WebSocket echoes messages
//	/never    neither receives nor answers; with ?n= it answers after so many
//	          milliseconds
//	/slow     receives the body a piece at a time, with pauses, and answers
//	          with its length
//	/large    streams [LargeBytes] bytes, of which byte i is [LargeByte](i)
//	/late     answers after a tenth of a second, with its own path and query
//	/panic    panics as it is opened; with ?at=start after the response's
//	          start; a WebSocket panics at the first message
//	/timers   sets as many timers as ?n= says, stops half, and answers "OK"
//	          when the rest has fired
//	/posts    has several goroutines post to the exchange until they are refused
//	          or have posted as many functions as ?n= says, and answers with the
//	          numbers of what was accepted, of what was refused, and of what ran
//
// With ?pace= the last two pause for so long after every hundred timers, or posts
// of a goroutine. Without, the application does to the loop, or to all cores, what
// no server can prevent; with it, what is felt is the server's.
//
// # Concurrency and limits
//
// Everything may be run in parallel with everything else. Every wait ends after
// Target.Patience or with the context; no attack leaves a connection or a
// goroutine behind.
package hostile
