package longpoll_test

import (
	"fmt"

	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/longpoll"
)

// Everybody may poll for everything.
func ExampleNew() {
	h, err := hub.New(hub.Config{})
	if err != nil {
		panic(err)
	}
	defer h.Close()
	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: hub.Anyone(hub.Everything)})
	if err != nil {
		panic(err)
	}
	mux := new(handlers.Mux)
	mux.HTTP("/hub/poll", polls)

	_, err = h.PublishOne(hub.Publication{Channel: "news", Data: []byte(`"hello"`)})
	fmt.Println(err, polls.Stats().Parked)
	// Output: <nil> 0
}
