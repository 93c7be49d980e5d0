// Package contender holds the servers that are compared: gale in its four forms
// of application, its peers, and the raw echoes that are the limit of them all.
// Each is written as its own documentation recommends, with its defaults, and
// does the same work: it echoes what arrives, or answers every request with
// [Body], or passes what is published in a room to all who are there, or takes and
// gives what is large, or serves a folder.
//
// A contender is meant to have a process to itself, which for one that is no
// library starts another. It serves until that process ends.
package contender

import (
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
)

// Protocol is what a contender speaks.
type Protocol string

// The protocols.
const (
	Raw       Protocol = "raw"       // echoes bytes
	WebSocket Protocol = "websocket" // echoes messages
	HTTP      Protocol = "http"      // answers requests with Body
	BusyEcho  Protocol = "busy echo" // echoes messages while it works at something else

	Rooms           Protocol = "rooms"            // WebSockets in rooms, without a protocol of their own
	GaleRooms       Protocol = "gale.hub.v1"      // WebSockets in rooms
	CentrifugeRooms Protocol = "centrifuge"       // WebSockets in rooms
	Events          Protocol = "events"           // server-sent events of rooms
	GaleEvents      Protocol = "gale's events"    // likewise
	GalePolls       Protocol = "gale's long poll" // of rooms
	NchanPolls      Protocol = "nchan's long poll"

	CGI Protocol = "cgi" // with Config.Programs

	// What is spoken with Config.App, an application of Python.
	ASGI Protocol = "asgi"
	WSGI Protocol = "wsgi"

	// What is spoken with Config.TransferBytes.
	BulkHTTP      Protocol = "bulk over http"
	BulkWebSocket Protocol = "bulk over websocket"

	Files Protocol = "files" // what is spoken with Config.Files
)

// What every HTTP contender answers, so that all send the same bytes.
const (
	Body        = "Hello, World!"
	ContentType = "text/plain"
	ServerName  = "bench"
)

// Config is what a contender is told.
type Config struct {
	// Loops is the number of event loops, for contenders that have such a thing.
	// Default: 1, so that a server pinned to one core has one loop.
	Loops int

	// TransferBytes is the size of bulk transfers, and the largest the server allows.
	// Default: 0, it serves its other protocols.
	TransferBytes int

	// Files is the folder that is served. Default: "", none is.
	Files string

	// Programs is the folder of the programs that are started for requests. Default:
	// "", none are.
	Programs string

	// App is the application of Python that is served: the name of an attribute.
	// Default: "", none is.
	App string

	// Threads is how many requests a worker of gale's answers by WSGI at a time.
	// Default: gale's own.
	Threads int
}

// Contender is one server.
//
// Safe for concurrent use: immutable.
type Contender struct {
	Name   string
	Module string // whose version it is; "" for this module or the standard library
	Speaks []Protocol

	// start serves on a port of 127.0.0.1 and returns its address.
	start func(Config) (net.Addr, error)

	// bulk is start for the bulk protocols; nil for those that do not speak them.
	bulk func(Config) (net.Addr, error)

	// files is start for the folder of Config.Files; nil for those that serve none.
	files func(Config) (net.Addr, error)

	// cgi is start for programs; nil for those that start none.
	cgi func(Config) (net.Addr, error)

	// python is start for applications of Python; nil for those that serve none.
	python func(Config) (net.Addr, error)

	// missing says what of it this machine lacks; nil for those that are all here.
	missing func() error
}

var contenders = []Contender{
	{Name: "raw", Module: gnetModule, Speaks: []Protocol{Raw}, start: startRaw},
	{Name: "gnet", Module: gnetModule, Speaks: []Protocol{Raw}, start: startGnet},
	{Name: "gale-event", Speaks: []Protocol{WebSocket, HTTP, BulkWebSocket, BulkHTTP}, start: startGaleEvent, bulk: startGaleEventBulk},
	{Name: "gale-coroutine", Speaks: []Protocol{WebSocket, HTTP, BulkWebSocket, BulkHTTP}, start: startGaleCoroutine, bulk: startGaleCoroutineBulk},
	{Name: "gale-serial", Speaks: []Protocol{WebSocket, HTTP}, start: startGaleSerial},
	{Name: "gale-goroutine", Speaks: []Protocol{WebSocket, HTTP}, start: startGaleGoroutine},
	{Name: "gorilla", Module: "github.com/gorilla/websocket", Speaks: []Protocol{WebSocket, BulkWebSocket}, start: startGorilla, bulk: startGorillaBulk},
	{Name: "gws", Module: "github.com/lxzan/gws", Speaks: []Protocol{WebSocket, Rooms, BulkWebSocket}, start: startGws, bulk: startGwsBulk},
	{Name: "nbio", Module: "github.com/lesismal/nbio", Speaks: []Protocol{WebSocket}, start: startNbio},
	{Name: "coder", Module: "github.com/coder/websocket", Speaks: []Protocol{WebSocket}, start: startCoder},
	{Name: "victim", start: startVictim}, // for attacks
	{Name: "victim-nethttp", start: startVictimNetHTTP},
	{Name: "gale", Speaks: []Protocol{GaleRooms, GaleEvents, GalePolls, Files, CGI}, start: startGaleHub, files: startGaleFiles, cgi: startGaleCGI},
	{Name: "gale-slow", start: startGaleSlow}, // for subscribers that do not read
	{Name: "gorilla-hub", Module: "github.com/gorilla/websocket", Speaks: []Protocol{Rooms}, start: startGorillaHub},
	{Name: "centrifuge", Module: "github.com/centrifugal/centrifuge", Speaks: []Protocol{CentrifugeRooms}, start: startCentrifuge},
	{Name: "nchan", Speaks: []Protocol{Events, NchanPolls}, start: startNchan, missing: nchanMissing},
	{Name: "nginx", Speaks: []Protocol{Files}, files: startNginxFiles, missing: nginxMissing},
	{Name: "lighttpd", Speaks: []Protocol{CGI}, cgi: startLighttpd, missing: lighttpdMissing},
	{Name: "nethttp", Speaks: []Protocol{HTTP, Events, BulkHTTP, Files, CGI}, start: startNetHTTP, bulk: startNetHTTPBulk, files: startNetHTTPFiles, cgi: startNetHTTPCGI},
	{Name: "fasthttp", Module: "github.com/valyala/fasthttp", Speaks: []Protocol{HTTP, BulkHTTP, Files}, start: startFastHTTP, bulk: startFastHTTPBulk, files: startFastHTTPFiles},
	{Name: "gale-asgi", Speaks: []Protocol{ASGI}, python: startGaleASGI, missing: wantsModules()},
	{Name: "gale-wsgi", Speaks: []Protocol{WSGI}, python: startGaleWSGI, missing: wantsModules()},
	{Name: "uvicorn", Speaks: []Protocol{ASGI}, python: uvicornFast.start, missing: wantsModules("uvicorn", "uvloop", "httptools", "websockets")},
	{Name: "uvicorn-wsproto", Speaks: []Protocol{ASGI}, python: uvicornWsproto.start, missing: wantsModules("uvicorn", "uvloop", "httptools", "wsproto")},
	{Name: "uvicorn-h11", Speaks: []Protocol{ASGI}, python: uvicornPure.start, missing: wantsModules("uvicorn", "h11", "websockets")},
	{Name: "hypercorn", Speaks: []Protocol{ASGI}, python: hypercorn.start, missing: wantsModules("hypercorn")},
	{Name: "daphne", Speaks: []Protocol{ASGI}, python: daphne.start, missing: wantsModules("daphne")},
	{Name: "gunicorn-uvicorn", Speaks: []Protocol{ASGI}, python: gunicornUvicorn.start, missing: wantsModules("gunicorn", "uvicorn")},
	{Name: "nginx-gunicorn", Speaks: []Protocol{WSGI}, python: nginxGunicorn.start, missing: nginxGunicornMissing},
	{Name: "gunicorn-gthread", Speaks: []Protocol{WSGI}, python: gunicornThreads.start, missing: wantsModules("gunicorn")},
	{Name: "nginx-uwsgi", Speaks: []Protocol{WSGI}, python: nginxUwsgi.start, missing: nginxUwsgiMissing},
	{Name: "idle", Speaks: []Protocol{BusyEcho}, start: startIdle},
	{Name: "plain-goroutines", Speaks: []Protocol{BusyEcho}, start: startPlainGoroutines},
	{Name: "cpu-class", Speaks: []Protocol{BusyEcho}, start: startCPUClass},
	{Name: "overload", Speaks: []Protocol{BusyEcho}, start: startOverload},
	{Name: "busy-cores", Speaks: []Protocol{BusyEcho}, start: startBusyCores},
	{Name: "process-class", Speaks: []Protocol{BusyEcho}, start: startProcessClass},
}

const gnetModule = "github.com/panjf2000/gnet/v2"

// Lookup returns the contender of that name.
func Lookup(name string) (Contender, error) {
	for _, c := range contenders {
		if c.Name == name {
			return c, nil
		}
	}
	return Contender{}, fmt.Errorf("there is no contender %q; there are %s", name, strings.Join(Names(), ", "))
}

// Names returns the names of all contenders.
func Names() []string {
	var names []string
	for _, c := range contenders {
		names = append(names, c.Name)
	}
	return names
}

// Start makes the process serve and returns the address, on the loopback.
func (c Contender) Start(cfg Config) (net.Addr, error) {
	if cfg.Loops < 1 {
		cfg.Loops = 1
	}
	if cfg.Files != "" {
		if c.files == nil {
			return nil, fmt.Errorf("%s serves no files", c.Name)
		}
		return c.files(cfg)
	}
	if cfg.Programs != "" {
		if c.cgi == nil {
			return nil, fmt.Errorf("%s starts no programs", c.Name)
		}
		return c.cgi(cfg)
	}
	if cfg.App != "" {
		if c.python == nil {
			return nil, fmt.Errorf("%s serves no applications of Python", c.Name)
		}
		return c.python(cfg)
	}
	if c.start == nil {
		return nil, fmt.Errorf("%s serves files, programs or applications of Python only", c.Name)
	}
	if cfg.TransferBytes > 0 {
		if c.bulk == nil {
			return nil, fmt.Errorf("%s has no bulk transfers", c.Name)
		}
		return c.bulk(cfg)
	}
	return c.start(cfg)
}

// Missing says what the contender needs and this machine does not have; nil if it
// can start.
func (c Contender) Missing() error {
	if c.missing == nil {
		return nil
	}
	return c.missing()
}

// serving are the processes of a contender that is not in this one.
var serving []int

// Serving returns the processes that serve, once a contender is started.
func Serving() []int {
	if serving == nil {
		return []int{os.Getpid()}
	}
	return serving
}

// CanSpeak reports whether the contender speaks p.
func (c Contender) CanSpeak(p Protocol) bool { return slices.Contains(c.Speaks, p) }

// Versions returns "name version" for every module a contender comes from.
func Versions() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var versions []string
	for _, c := range contenders {
		for _, m := range info.Deps {
			v := c.Name + " " + m.Version
			if m.Path == c.Module && c.Name != "raw" {
				versions = append(versions, v)
			}
		}
	}
	return versions
}

// listen opens a listener on a free port of the loopback.
func listen() (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }
