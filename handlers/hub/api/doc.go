// Package api is a hub for those who have no connection to it: [Server] is for
// backends, which may do everything and show a key; [Publish] is for clients, which
// publish a message with a single request.
//
//	backend, err := api.New(api.Config{Hub: h, Keys: []string{key}})
//	mux.HTTP("/hub/api/*", backend)
//	publish, err := api.NewPublish(api.PublishConfig{Hub: h, Authenticate: verifier.Authenticate})
//	mux.HTTP("/hub/publish", publish)
//
// # Requests
//
//	POST publish      publish a message
//	POST batch        publish several messages
//	POST broadcast    publish one message in several channels
//	GET  history      read a channel's history
//	GET  members      see who is present in a channel
//	POST disconnect   end all connections of a user
//	POST unsubscribe  end a user's subscriptions to a channel
//	POST forget       drop a channel's history
//	GET  stats        figures of this process
//	GET  openapi.json the description of all this, in OpenAPI 3.1; needs no key
//
// The description is whole: it has each key of each body. A body is one JSON object,
// in UTF-8; a key that is not in the description is an error, for it is a mistake, and
// so are a key that is there twice, half a surrogate pair ("\ud800"), a number that is
// too large for 64 bits of floating point, and data nested deeper than 64 levels. Upper
// case in keys is as good. The type of the content is
// not looked at, nor are parameters that are not in the description.
//
//	curl -H "Authorization: Bearer $KEY" -d '{"channel":"news","text":"hello"}' http://127.0.0.1:8080/hub/api/publish
//
// A publication with a key counts once, see [hub.Publication]. All who show a key of the
// API share one scope of such keys: they are the server. Who uses [Publish] has that of
// its user or address.
//
// # Errors
//
// An error is an object with a code, which is a [hub.ErrorCode], a text for people,
// and retry_ms if there is use in trying again; Retry-After says the same in seconds.
// The status is that of the code. Of a batch each publication has its own result, and
// the status is 200.
//
// # Concurrency
//
// The handlers are called on loops and hold no goroutine.
//
// # Limits
//
// Each is a field of [Config] or [PublishConfig]. An answer that is larger than what
// a connection holds is sent as the client takes it.
package api
