// Package longpoll brings the messages of a hub to clients that can do no more
// than make requests: a poll is answered at once if there is something the client
// has not seen, else as soon as there is, or when the time is up.
//
//	h, err := hub.New(hub.Config{})
//	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: hub.Anyone(hub.Everything)})
//	mux.HTTP("/hub/poll", polls)
//
// # Requests
//
// GET, with these parameters:
//
//	ch      the channels, with commas between them
//	cursor  of the last answer; without it, the poll begins with what comes from now on
//	after   without a cursor: places, EPOCH:OFFSET for each channel in the order of ch, or nothing
//	last    without either: begins with so many messages of the history; a number for all
//	        channels, or one for each in the order of ch
//	wait    for how many seconds at most; 0: not at all. Also as the field "Prefer: wait=N"
//	limit   how many messages an answer has at most
//	sid     a name of the client's own, by chance if users have none: its newest poll takes
//	        the place of an older one
//	strict  1: what is lost is an error and not a part of the answer
//	token   who the client is, if it cannot set the field Authorization
//
// Other parameters mean nothing, nor does a Prefer that is malformed.
//
// A client keeps asking with the cursor of the last answer it has got:
//
//	curl 'http://localhost:8080/hub/poll?ch=news&last=10&wait=0'
//	curl 'http://localhost:8080/hub/poll?ch=news&cursor=CURSOR'
//	curl 'http://localhost:8080/hub/poll?ch=news&after=EPOCH:7'     # behind a place known from elsewhere
//
// A first poll without a cursor that waits, and whose answer is lost, begins anew:
// what was in it is lost to the client. Whoever wants to be sure asks for the first
// cursor with wait=0.
//
// # Answers
//
// 200, always with an object:
//
//	cursor      for the next poll
//	messages    what has come, as hub.JSON has it; those of one channel in order
//	gaps        what is lost: [{"channel", "from": {"epoch", "offset"}, "to": {...}, "missing"}];
//	            missing is -1 if nobody knows how many. Not there if nothing is
//	gap         true, with gaps
//	subscribed  without a cursor: where it began, [{"channel", "position": {"epoch", "offset"}, "top",
//	            "missing"}]
//	retry_ms    wait so long before the next poll; not there: ask at once
//	reason      "data", "timeout", "superseded" by a newer poll of the same sid, or "draining"
//
// Reading takes nothing away: a poll whose answer is lost is repeated with the same
// cursor and gets the same, and what else has come. Asking with a newer cursor says
// that everything before it has arrived.
//
// An answer has at most 100 messages and 256 KiB, unless one message is larger;
// the next poll gets what follows at once.
//
// A request with an If-None-Match gets 304 instead of "timeout". Its value is the
// ETag of an earlier answer, which is the cursor, so that there need be none in the
// query; the ETag of a 304 is a newer cursor, and Retry-After stands for retry_ms. Of a
// list the first tag that is a cursor of these channels counts, also one to which a
// compressing intermediary has put its mark ("-gzip"); others are as good as none.
//
// With strict=1 an answer that would tell of gaps is 410 with the keys code ("gone"),
// text, gaps and cursor, and no messages: the cursor goes on behind the gap, for a
// client that first fetches the state of things elsewhere.
//
// What is refused is answered with the status of the [hub.Error] and an object with
// code, text, perhaps retry_ms, and channel if it is about one:
//
//	bad_request    400  a parameter makes no sense, or there are too many channels;
//	               405  the method is not GET
//	bad_channel    400  no name of a channel. There are no patterns here: they have no place to go on from
//	bad_cursor     400  damaged, of other channels or of another server
//	bad_token      401
//	token_expired  401  the cursor is too old, and the request has no good token
//	not_allowed    403
//	too_many       503  clients of one user, or parked polls, with Retry-After
//	unavailable    503  the messages cannot be reached, with Retry-After
//	draining       503  the server is about to stop
//
// # Waiting
//
// A client that says nothing waits for 25 s, and none for more than 55: proxies give
// up after 30 or 60. Up to a sixteenth is taken off by chance, so that those who came
// together do not come back together. Preference-Applied says what became of a
// Prefer.
//
// A user or sid that asks faster than [Config].PollRate is not refused: it gets what
// there is at once, and retry_ms.
//
// # Who may read
//
// A cursor is signed (see package cursor) and proves that its channels were
// granted: Authenticate is called for a poll without one, and again when
// Config.ProofAge has passed. Until then a client that has lost its rights reads
// on, unless the hub's Config.Allow says no. After Hub.Disconnect or Hub.Unsubscribe a
// cursor of the user counts only if it was proven later.
//
// # Clients that go away
//
// A client that gives up resets its connection or ends its stream. The latter, which
// is what browsers do, might also come from one that still reads, so by default a
// poll stays parked until its time is up. A server of many polls to browsers sets
// HalfClose of asgi/server.Config to HalfCloseDisconnects, which forgets them at once.
// HTTP/1.1 gives a browser six connections per origin, over all its tabs.
//
// # Concurrency
//
// The [Handler] is in event form: a parked poll is one client of the hub and a timer,
// and has no goroutine. It answers polls on the loops they came in on.
//
// # Limits
//
// Every limit is a field of [Config], or of that of the hub.
//
// # Specifications
//
// Long polling as in https://www.rfc-editor.org/rfc/rfc6202, Prefer as in
// https://www.rfc-editor.org/rfc/rfc7240.
package longpoll
