package longpoll_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/internal/longtest"
)

// engine serves polls over TCP.
type engine struct {
	*enginetest.Server
	t     testing.TB
	hub   *hub.Hub
	polls *longpoll.Handler
}

// newEngine makes a hub with polls, mounted at /hub/poll.
func newEngine(t testing.TB, config longpoll.Config) (*engine, *handlers.Mux) {
	t.Helper()
	h, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	config.Hub, config.Authenticate = h, hub.Anyone(hub.Everything)
	polls, err := longpoll.New(config)
	if err != nil {
		t.Fatal(err)
	}
	mux := new(handlers.Mux)
	mux.HTTP("/hub/poll", polls)
	return &engine{t: t, hub: h, polls: polls}, mux
}

// run serves until the test is over, or stop is called.
func (e *engine) run(srv enginetest.Engine) {
	e.t.Helper()
	e.Server = enginetest.Serve(e.t, srv)
}

var quiet = enginetest.Quiet

const drainTimeout = 4 * time.Second

// onEngines runs a test on both engines.
func onEngines(t *testing.T, config longpoll.Config, test func(t *testing.T, e *engine)) {
	onEnginesWith(t, enginetest.Options{Drain: drainTimeout}, config, test)
}

func onEnginesWith(t *testing.T, o enginetest.Options, config longpoll.Config, test func(t *testing.T, e *engine)) {
	var e *engine
	enginetest.Each(t, o, func(t *testing.T) (h asgi.Handler) {
		e, h = newEngine(t, config)
		return h
	}, func(t *testing.T, s *enginetest.Server) {
		e.Server = s
		test(t, e)
	})
}

// ask makes a poll, and returns an error if it could not be made.
func (e *engine) ask(ctx context.Context, query string) (answer, *http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, "GET", "http://"+e.Addr+"/hub/poll?"+query, nil)
	if err != nil {
		return answer{}, nil, err
	}
	r, err := e.Client.Do(q)
	if err != nil {
		return answer{}, nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return answer{}, nil, err
	}
	a := answer{status: r.StatusCode}
	return a, r, json.Unmarshal(body, &a)
}

// poll makes a poll that must be answered.
func (e *engine) poll(query string) answer {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	a, _, err := e.ask(ctx, query)
	if err != nil {
		e.t.Fatal(err)
	}
	return a
}

// background makes a poll whose answer comes by a channel.
func (e *engine) background(query string) <-chan answer {
	answers := make(chan answer, 1)
	go func() { // ends with the poll
		ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
		defer cancel()
		a, r, err := e.ask(ctx, query)
		if err != nil {
			e.t.Error(err)
		} else if a.Reason == "draining" && !r.Close {
			e.t.Errorf("a connection that is drained is kept alive: %v", r.Header)
		}
		answers <- a
	}()
	return answers
}

func (e *engine) publish(channel, text string) {
	e.t.Helper()
	if _, err := e.hub.PublishOne(hub.Publication{Channel: channel, Data: []byte(text)}); err != nil {
		e.t.Error(err)
	}
}

// until waits for a condition of the figures.
func (e *engine) until(what string, cond func(longpoll.Stats) bool) {
	e.t.Helper()
	limit := time.Now().Add(waitLimit)
	for !cond(e.polls.Stats()) {
		if time.Now().After(limit) {
			e.t.Fatalf("not %s: %+v", what, e.polls.Stats())
		}
		time.Sleep(time.Millisecond) // the figures give no signal
	}
}

func (e *engine) parked(n int) {
	e.t.Helper()
	e.until(fmt.Sprint(n, " parked"), func(s longpoll.Stats) bool { return s.Parked == n })
}

func (e *engine) want(a answer, want string) {
	e.t.Helper()
	if got := a.got(); got != want {
		e.t.Errorf("got %q, want %q", got, want)
	}
}

func TestEngines(t *testing.T) {
	onEngines(t, longpoll.Config{PollRate: -1}, func(t *testing.T, e *engine) {
		first := e.poll("ch=a,b&wait=0")
		e.want(first, "timeout")
		waiting := e.background(with("a,b", first.Cursor))
		e.parked(1)
		e.publish("b", "x")
		second := <-waiting
		e.want(second, "x data")
		e.want(e.poll(with("a,b", second.Cursor)+"&wait=1"), "timeout")
		e.want(e.poll(with("a,b", first.Cursor+"x")), "400 bad_cursor")
		older := e.background(with("a,b", second.Cursor) + "&sid=tab")
		e.parked(1)
		newer := e.background(with("a,b", second.Cursor) + "&sid=tab")
		e.want(<-older, "superseded")
		e.parked(1)
		large := strings.Repeat("y", 60<<10)
		e.publish("a", large)
		if a := <-newer; len(a.Messages) != 1 || a.Messages[0].Text != large {
			t.Errorf("%d messages", len(a.Messages))
		}
	})
}

// A message that is published while a poll comes in wakes it, whatever the moment.
func TestEnginesRace(t *testing.T) {
	onEngines(t, longpoll.Config{}, func(t *testing.T, e *engine) {
		rounds := longtest.Count(60, 300)
		at := e.poll("ch=a&wait=0").Cursor
		for i := range rounds {
			waiting := e.background(with("a", at))
			for range rand.N(1000) {
				runtime.Gosched() // some nanoseconds to some hundred microseconds
			}
			e.publish("a", fmt.Sprint("m", i))
			a := <-waiting
			if len(a.Messages) != 1 || a.Messages[0].Text != fmt.Sprint("m", i) || a.Gap {
				t.Fatalf("round %d: %s", i, a.got())
			}
			at = a.Cursor
		}
	})
}

// Clients that give up in the middle and ask again with the cursor they have get
// everything, once and in order.
func TestEnginesLostAnswers(t *testing.T) {
	onEngines(t, longpoll.Config{}, func(t *testing.T, e *engine) {
		const pollers, messages = 4, 150
		start := e.poll("ch=a&wait=0").Cursor
		var wg sync.WaitGroup
		for p := range pollers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(p), 7))
				at, next := start, 0
				for next < messages {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(8_000))*time.Microsecond)
					a, _, err := e.ask(ctx, with("a", at)+"&limit=7")
					cancel()
					if err != nil { // it gave up, perhaps with half an answer
						continue
					}
					if a.status != 200 || a.Gap {
						t.Errorf("%d %s", a.status, a.got())
						return
					}
					for _, m := range a.Messages {
						if m.Text != fmt.Sprint("m", next) {
							t.Errorf("%s is not number %d", m.Text, next)
							return
						}
						next++
					}
					at = a.Cursor
				}
			})
		}
		for i := range messages {
			woken := e.polls.Stats().Data
			e.publish("a", fmt.Sprint("m", i))
			if i%10 == 0 {
				e.until("a little later", func(s longpoll.Stats) bool { return s.Data > woken })
			}
		}
		wg.Wait()
	})
}

func TestEnginesDisconnect(t *testing.T) {
	onEngines(t, longpoll.Config{}, func(t *testing.T, e *engine) {
		at := e.poll("ch=a&wait=0").Cursor
		var conns []net.Conn
		for range 50 {
			conns = append(conns, e.dial(with("a", at)))
		}
		e.parked(50)
		for _, c := range conns {
			_ = c.(*net.TCPConn).SetLinger(0) // a reset
			c.Close()
		}
		e.until("left", func(s longpoll.Stats) bool { return s.Parked == 0 && s.Left == 50 })
		if s := e.hub.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A thousand clients that leave behind a byte of a next request, or the end of a
// line, take nothing with them: no poll is left, and no descriptor.
func TestEnginesDepart(t *testing.T) {
	const polls = 1000
	departs := enginetest.Options{HalfClose: server.HalfCloseDisconnects}
	onEnginesWith(t, departs, longpoll.Config{PollRate: -1}, func(t *testing.T, e *engine) {
		at := e.poll("ch=a&wait=0").Cursor
		before := openFiles(t)
		var conns []net.Conn
		for i := range polls {
			c := e.dial(with("a", at))
			fmt.Fprint(c, []string{"G", "\r\n"}[i%2])
			conns = append(conns, c)
		}
		e.parked(polls)
		for _, c := range conns {
			c.Close()
		}
		e.until("left", func(s longpoll.Stats) bool { return s.Parked == 0 && s.Left == polls })
		if s := e.hub.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
			t.Errorf("%+v", s)
		}
		for limit := time.Now().Add(30 * time.Second); openFiles(t) > before; runtime.Gosched() {
			if time.Now().After(limit) {
				t.Fatalf("%d descriptors, %d before", openFiles(t), before)
			}
		}
	})
}

// openFiles is the number of open descriptors, where there is a /proc.
func openFiles(t *testing.T) int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(files)
}

// dial sends a poll over a connection of its own.
func (e *engine) dial(query string) net.Conn {
	e.t.Helper()
	c, err := net.Dial("tcp", e.Addr)
	if err != nil {
		e.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(waitLimit))
	fmt.Fprintf(c, "GET /hub/poll?%s HTTP/1.1\r\nHost: h\r\n\r\n", query)
	return c
}

// What the end of the client's stream means is for the server to say.
func TestHalfClose(t *testing.T) {
	for name, half := range map[string]server.HalfClose{"serves": server.HalfCloseServes, "disconnects": server.HalfCloseDisconnects} {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckLeaks(t)
			e, mux := newEngine(t, longpoll.Config{})
			srv, err := server.New(server.Config{Handler: mux, Logger: quiet, HalfClose: half})
			if err != nil {
				t.Fatal(err)
			}
			e.run(srv)
			at := e.poll("ch=a&wait=0").Cursor
			c := e.dial(with("a", at))
			defer c.Close()
			e.parked(1)
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if half == server.HalfCloseDisconnects {
				e.until("left", func(s longpoll.Stats) bool { return s.Left == 1 && s.Parked == 0 })
				return
			}
			e.publish("a", "x")
			if p, err := io.ReadAll(c); err != nil || !strings.Contains(string(p), `"text":"x"`) {
				t.Errorf("%q, %v", p, err)
			}
		})
	}
}

// Two polls on one connection are answered one after the other.
func TestEnginesPipeline(t *testing.T) {
	onEngines(t, longpoll.Config{}, func(t *testing.T, e *engine) {
		first, second := e.poll("ch=a&wait=0").Cursor, e.poll("ch=b&wait=0").Cursor
		c := e.dial(with("a", first))
		defer c.Close()
		fmt.Fprintf(c, "GET /hub/poll?%s HTTP/1.1\r\nHost: h\r\n\r\n", with("b", second))
		e.parked(1)
		e.publish("b", "y") // the second's, which has to wait
		e.parked(1)
		e.publish("a", "x")
		r := bufio.NewReader(c)
		for _, want := range []string{"x", "y"} {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || !strings.Contains(string(body), `"text":"`+want+`"`) {
				t.Errorf("%q, %v", body, err)
			}
		}
	})
}

func TestEnginesDrain(t *testing.T) {
	onEngines(t, longpoll.Config{}, func(t *testing.T, e *engine) {
		at := e.poll("ch=a&wait=0").Cursor
		var waiting []<-chan answer
		for range 20 {
			waiting = append(waiting, e.background(with("a", at)))
		}
		e.parked(20)
		ended := make(chan error, 1)
		go func() { ended <- e.Stop() }()
		cursor := ""
		for _, w := range waiting {
			a := <-w
			e.want(a, "draining")
			if a.RetryMS > drainTimeout.Milliseconds() {
				t.Errorf("retry_ms is %d", a.RetryMS)
			}
			cursor = a.Cursor
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if cursor == "" {
			t.Error("no cursor to go on with elsewhere")
		}
	})
}
