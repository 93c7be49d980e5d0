// Package sse streams events to browsers and to whoever reads lines: the format,
// streams for applications, and the transport of a hub.
//
// # Events
//
// [Event] is the format, to the letter; [LastEventID] is what a client has seen
// that comes back.
//
// # Streams for applications
//
// What is made piece by piece, like the tokens of a language model or the progress
// of a job, is sent as it comes: by straight-line code with [Coroutine] (or
// [Goroutine] where it blocks), or in event form with [Open].
//
//	handler := sse.Coroutine(func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, w *sse.Writer) error {
//		for {
//			token, err := next(ctx)
//			if err == io.EOF {
//				return nil
//			} else if err != nil {
//				return err
//			}
//			if err := w.Send(ctx, &sse.Event{Data: token}); err != nil {
//				return err
//			}
//		}
//	}, &sse.Options{Drain: sse.DrainFinishes})
//
// Who is slower than the application holds it up, and nothing piles up. When the
// client leaves, the context is cancelled, and with it the work. Both forms say
// whether the response was whole: a stream that came to its end has an event of
// the type "end", and a browser's EventSource is told not to ask again.
//
// # The transport of a hub
//
// [New] makes the handler with which a page follows channels of a
// handlers/hub:
//
//	curl -N 'http://localhost:8080/hub/sse?ch=news,weather'
//	curl -N 'http://localhost:8080/hub/sse?ch=news&last=10'         # and the last ten messages
//	curl -N 'http://localhost:8080/hub/sse?ch=news&after=EPOCH:7'   # and what came behind a place
//	curl -N -H 'Last-Event-ID: ID' 'http://localhost:8080/hub/sse?ch=news'
//
// The parameters:
//
//	ch             channels, or patterns ("news:*"), with commas between them
//	Last-Event-ID  a field: the ID of the last event that was seen, as browsers send
//	               it by themselves; last_event_id is a parameter for the same
//	cursor         the same from elsewhere, such as the cursor of a poll
//	after          places, EPOCH:OFFSET for each channel in the order of ch, or nothing
//	last           how many messages of the history of each channel: a number for all,
//	               or one for each in the order of ch
//	token          if there is no field "Authorization: Bearer"
//
// The first of the four that say where to begin counts; without them it is now. Other
// parameters mean nothing.
//
// The events:
//
//	(message)   a message in the format of hub.JSON
//	subscribed  {"channel","position","top","missing"}: a subscription has begun
//	gap         {"channel","from","to","missing"}: so many messages, or -1 for nobody
//	            knows how many, are lost
//	ended       {"channel","code","text"}: a subscription is over, or without a
//	            channel the stream
//
// The ID of an event says how far the client is in all channels: see
// handlers/hub/cursor. So a browser that was cut off gets what it has missed, once and in order,
// or a gap. An ID that is not ours, or of a process with another secret, is a place
// that nobody knows: a gap, and what the histories have. As a cursor it is refused. A
// pattern has no place in the ID: who comes back gets a gap for it.
//
// A request that can never be served is answered with a status and
// {"code","text"}, and "channel" if it is about one that is not granted: 400, 401, 403,
// see hub.Error, and 405 for another method than GET; browsers do not ask again. That
// there are too many channels is a bad_request. One that may be served soon, when there is
// too much to do, is a stream that ends at once with a longer retry.
//
// A stream lasts eight to ten minutes, and then has the client come back at once
// or so, for what it has missed meanwhile. One of a server that is about to stop
// ends with a longer retry.
//
// # What becomes of slow clients
//
// A stream takes messages as long as its connection's outbox is below its high
// watermark. What it does not take waits in the channel's history, which all
// share, and hub.Options.Slow says how far behind a client may be.
//
// # Proxies
//
// Browsers have six connections at once to a server of HTTP/1.1, and each
// EventSource takes one: one stream for many channels, or HTTP/2 in front. The
// fields "cache-control: no-store, no-transform" and "x-accel-buffering: no" have proxies pass
// events on at once.
//
// # The end of a client
//
// A browser that leaves closes its side of the connection. Servers of streams have
// it count as gone with server.Config.HalfClose; else that shows when something is
// sent, at the latest the second heartbeat.
//
// # Concurrency
//
// A [Stream] belongs to the loop of its exchange, a [Writer] to its application; a
// [Handler] is for everybody.
//
// # Limits
//
// One timer for each stream; no goroutine. Heartbeats, ages and retries are
// fields of [Options] and [Config]. A stream has as many channels as a client of
// the hub may have subscriptions. An ID has some 64 bytes, and 20 more for each
// further channel.
//
// # Specifications
//
//   - Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
//   - CORS: https://fetch.spec.whatwg.org/#http-cors-protocol
package sse
