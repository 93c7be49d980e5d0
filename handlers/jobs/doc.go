// Package jobs runs jobs of an executor for HTTP clients: a client posts what is
// to be done, waits for the result or comes back for it, watches the progress, and
// cancels. Any class of an executor will do. Nobody who waits costs a goroutine.
//
//	service, err := jobs.New(jobs.Config{
//		Class: e.Class(executor.CPU),
//		Accept: func(r *jobs.Request) (executor.Job, error) {
//			if len(r.Body) == 0 {
//				return executor.Job{}, &jobs.Error{Status: 400, Reason: "there is no text"}
//			}
//			return executor.Job{Run: func(ctx context.Context) (any, error) {
//				return jobs.Result{ContentType: "text/plain", Body: bytes.ToUpper(r.Body)}, nil
//			}}, nil
//		},
//	})
//	service.Mount(mux, "/jobs")
//
// # Requests
//
// Below the path that the service is mounted on:
//
//	POST /               runs a job: 200 with the result, or 202 with its Location
//	GET /{id}            the job's state; waits for news, or for the end
//	GET /{id}/result     the result; waits for the end
//	GET /{id}/events     the job's state as it changes, as an event stream or WebSocket
//	GET /events          the same for all jobs of the client
//	DELETE /{id}         cancels the job, or drops its result: 204, as often as it is said
//
// A client that has patience, one that has not, and how to go on:
//
//	curl -H 'Prefer: wait=10' --data-binary @text http://localhost:8080/jobs
//	curl -i --data-binary @text http://localhost:8080/jobs     # 202, Location: /jobs/ID
//	curl http://localhost:8080/jobs/ID
//	curl 'http://localhost:8080/jobs/ID?wait=30'               # answers at the end
//	curl 'http://localhost:8080/jobs/ID?wait=30&since=3'       # or when version 3 is not the last
//	curl 'http://localhost:8080/jobs/ID/result?wait=30'
//	curl -N http://localhost:8080/jobs/ID/events
//	curl -X DELETE http://localhost:8080/jobs/ID
//
// With "Prefer: wait=N" a POST waits for the result for up to N seconds, and
// answers 202 if there is none by then; without it, it answers 202 at once. A
// client that goes away before its 202 takes its job with it: one that waits in
// the queue leaves it at once, the context of one that runs is cancelled. After
// the 202 the job lives without the connection.
//
// A GET waits likewise, by the same field or by the parameter wait, but never
// with neither. Preference-Applied says what was made of the wait. With the
// parameter since, or an If-None-Match, a GET of the state returns as soon as the
// state is another version than that; otherwise when the job has ended. When the
// time is up it answers with the state as it is, or with 304 to an If-None-Match.
// A GET of a result that is not there yet is answered with 409.
//
// # States
//
// The state is a JSON object; so is the answer 202:
//
//	id, location   of the job
//	state          "queued", "running", "done", "failed" or "cancelled"
//	version        counts the changes; the ETag is the same number
//	position       in the queue, about: 1 is next; while it is queued, and not always in a long queue
//	percent        0 to 100
//	result         where the result is, content_type, and bytes, its length; while there is one
//	error          title, status, detail and retry_after (seconds) as below; if it has failed or was cancelled
//	expires        when it will be forgotten at the latest, in milliseconds since 1970; once it has ended
//
// The id is a secret of 128 bits: who knows it may see and cancel the job.
//
// # Events
//
// An event stream has an event for each change: its name is the state, its data
// the JSON object, its id the version. It ends with the job's last event; who
// comes back with the id of that gets 204, which keeps a browser from coming back
// for ever. The stream of all jobs of a client begins with an event for each job
// that is known and does not end by itself. Changes that come faster than the
// peer reads are not queued: it gets the state as it is by then.
//
// Over a WebSocket the same objects come as text messages, each with a type. On
// that of a client, jobs can be submitted, too:
//
//	type      direction  meaning
//	job       out        a job's state
//	accepted  out        the state of the job made of binary message n: 1, 2, 3 ...
//	refused   out        binary message n, or the cancelling of id, was not carried out; see error
//	drain     out        the server is about to stop
//	cancel    in         end the job with this id
//	(binary)  in         the body of a job; query and header are those of the handshake
//
// Jobs that came by a WebSocket end with it. Where Config.Client names no client,
// the socket sees its own jobs only, and there is no event stream of all jobs. The
// server closes with 1000 after the last event of the one job, with 1008 upon a
// message it does not understand, and with 1009 upon a text of more than 1024 bytes.
//
// # Errors
//
// They are answered as application/problem+json (RFC 9457), or are the error of a
// failed job:
//
//	400 ... 499  what Accept or the job returned as an [Error], or as any error with an HTTPStatus method
//	404          there is no such job, or it is not known any more
//	405          no such method here
//	409          the job has not ended: there is no result yet
//	410          the job was cancelled, or its result is not kept any more
//	413          the body is above MaxBodyBytes, or the job's cost above what the class can hold
//	429          the client has as many jobs as one may have in the class (executor.ClientLimit)
//	500          the job panicked, or failed with any other error, which is logged and not told
//	503          the class is saturated, or the service's own limits are reached, or the server is
//	             shutting down; with Retry-After
//	504          the job's deadline has passed
//
// # Draining
//
// Upon gale.drain, polls are answered with the state, event streams end with a
// longer retry, and WebSockets are told before the server closes them. A POST that
// waits for its result has half of the time that is left and is then answered
// with 503: the results are in this process. Put the service behind the lifespan
// of the application, or call [Service.Close], so that jobs nobody can ask for
// any more do not hold up the end.
//
// # What this package is not
//
// It keeps nothing on disk: a restart forgets all jobs. It does not say who may do
// what: put that before it.
//
// # Concurrency
//
// A [Service] serves on any number of loops. Those who wait are told by their
// loops; a job's end and progress are noted where they come to pass.
//
// # Limits
//
// Every limit is a field of [Config]. What is held for a job until its end is
// bounded by its class.
//
// # Terminology
//
// To follow is to be told of changes. A job is public once its client knows its
// id. A client is who makes requests: see Config.Client.
//
// # Specifications
//
//   - Prefer, wait, respond-async: https://www.rfc-editor.org/rfc/rfc7240
//   - 202 (Accepted): https://www.rfc-editor.org/rfc/rfc9110#section-15.3.3
//   - Problem details: https://www.rfc-editor.org/rfc/rfc9457
//   - Event streams: https://html.spec.whatwg.org/multipage/server-sent-events.html
package jobs
