package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
)

const (
	keyA = "0123456789abcdef"
	keyB = "another key, to be replaced by"
)

func newHub(t testing.TB, config hub.Config) *hub.Hub {
	t.Helper()
	h, err := hub.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func newServer(t testing.TB, config api.Config) *api.Server {
	t.Helper()
	if config.Keys == nil {
		config.Keys = []string{keyA, keyB}
	}
	s, err := api.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func bearer(key string) asgi.Header {
	return asgi.Header{Name: "authorization", Value: "Bearer " + key}
}

// ask makes a request with a key.
func ask(t testing.TB, h asgi.Handler, method, target, body string) *asgitest.Response {
	t.Helper()
	return asgitest.Do(t, h, asgitest.HTTPScope(method, target, bearer(keyA)), []byte(body))
}

// describe returns the description, as it is served.
func describe(t testing.TB, s *api.Server) *document {
	t.Helper()
	scope := asgitest.HTTPScope("GET", "/hub/api/openapi.json")
	scope.RootPath = "/hub/api"
	r := asgitest.Do(t, s, scope, nil)
	if r.Status != 200 || r.Header("content-type") != "application/json" {
		t.Fatalf("the description: %d %v", r.Status, r.Headers)
	}
	d := new(document)
	if err := json.Unmarshal(r.Body, d); err != nil {
		t.Fatal(err)
	}
	if d.OpenAPI != "3.1.0" || d.Servers[0].URL != "/hub/api" {
		t.Errorf("OpenAPI %s at %v", d.OpenAPI, d.Servers)
	}
	return d
}

// What is served is described, and what is described is served.
func TestDescriptionIsOfTheRoutes(t *testing.T) {
	s := newServer(t, api.Config{Hub: newHub(t, hub.Config{})})
	d := describe(t, s)
	described := []string{"GET /openapi.json"}
	for path, methods := range d.Paths {
		for method, op := range methods {
			if path == "/openapi.json" {
				continue
			}
			described = append(described, strings.ToUpper(method)+" "+path)
			if op.Answers["200"].Content["application/json"].Schema.Ref == "" || op.ID == "" {
				t.Errorf("%s %s says not what it answers", method, path)
			}
			if (op.Body != nil) != (method == "post") {
				t.Errorf("%s %s: a body: %v", method, path, op.Body)
			}
		}
	}
	served := append(api.Routes(), "GET /openapi.json")
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described %v\nserved    %v", described, served)
	}
}

// call is a request and what is to come of it.
type call struct {
	method, target, body string
	status               int
	says                 string // what the answer is, or what is in it
}

// try makes requests, and holds them and their answers to the description. {e} in
// what they are stands for an epoch.
func try(t *testing.T, s *api.Server, epoch string, calls []call) {
	t.Helper()
	d := describe(t, s)
	for _, c := range calls {
		r := ask(t, s, c.method, strings.ReplaceAll(c.target, "{e}", epoch), strings.ReplaceAll(c.body, "{e}", epoch))
		body := strings.ReplaceAll(string(r.Body), epoch, "{e}")
		if r.Status != c.status || !r.Complete || !strings.Contains(body, c.says) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.target, c.body, r.Status, body, c.status, c.says)
		}
		path, query, _ := strings.Cut(c.target, "?")
		op, known := d.Paths[path][strings.ToLower(c.method)]
		answer := d.Components.Responses["Error"]
		if known && r.Status == 200 {
			answer = op.Answers["200"]
			checkParameters(t, op, query)
			if op.Body != nil && !strings.Contains(body, `"error":`) {
				if err := d.check(op.Body.Content["application/json"].Schema, value(t, c.body), "the request"); err != nil {
					t.Errorf("%s %s %s was done, but %v", c.method, c.target, c.body, err)
				}
			}
		}
		if err := d.check(answer.Content["application/json"].Schema, value(t, string(r.Body)), "the answer"); err != nil {
			t.Errorf("%s %s %s: %v", c.method, c.target, c.body, err)
		}
	}
}

func checkParameters(t *testing.T, op operation, query string) {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range op.Parameters {
		if p.Required && !q.Has(p.Name) {
			t.Errorf("%s was done without %s", op.ID, p.Name)
		}
		q.Del(p.Name)
	}
	if len(q) > 0 {
		t.Errorf("%s was done with %v, which is not described", op.ID, q)
	}
}

func value(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestServer(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	h := newHub(t, hub.Config{
		MaxPublishBytes: 1000,
		Channels:        map[string]hub.Options{"chat:": {Presence: true}},
		Now:             func() time.Time { return now },
	})
	s := newServer(t, api.Config{Hub: h, MaxBatch: 3, MaxAnswer: 2})
	first, err := h.PublishOne(hub.Publication{Channel: "a", Data: []byte(`{"n": 1}`)})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1001)
	const small, large = `"code":"bad_request"`, `"code":"too_large"`
	try(t, s, first.Epoch, []call{
		{"POST", "/publish", `{"channel":"a","data":{"n":2}}`, 200, `{"epoch":"{e}","offset":2}`},
		{"POST", "/publish", `{"channel":"a","text":"three","key":"k","ttl":60000,"tags":{"t":"v"},"from":"ada"}`, 200, `{"epoch":"{e}","offset":3}`},
		{"POST", "/publish", `{"channel":"a","text":"again","key":"k"}`, 200, `{"epoch":"{e}","offset":3,"duplicate":true}`},
		{"POST", "/publish", `{"channel":"a","base64":"/w=="}`, 200, `"offset":4}`},
		{"POST", "/publish", `{"channel":"a","data":null}`, 200, `"offset":5}`},
		{"POST", "/publish", `{"channel":"a","text":""}`, 200, `"offset":6}`},
		{"POST", "/publish", `{"channel":"a"}`, 400, "one of data, text and base64"},
		{"POST", "/publish", `{"channel":"a","data":1,"text":"x"}`, 400, "one of data, text and base64"},
		{"POST", "/publish", `{"channel":"a b","data":1}`, 400, `"code":"bad_channel"`},
		{"POST", "/publish", `{"channel":"a*","data":1}`, 400, `"code":"bad_channel"`},
		{"POST", "/publish", `{"data":1}`, 400, `"code":"bad_channel"`},
		{"POST", "/publish", `{"channel":"a","text":"` + long + `"}`, 413, large},
		{"POST", "/publish", `{"channel":"a","base64":"?"}`, 400, "not base64"},
		{"POST", "/publish", `{"channel":"a","data":1,"ttl":-1}`, 400, "ttl"},
		{"POST", "/publish", `{"channel":"a","data":1,"ttl":9223372036854775807}`, 400, "ttl"},
		{"POST", "/publish", `{"channel":"a","data":1,"ttl":"1s"}`, 400, `the value of \"ttl\" has the wrong type`},
		{"POST", "/publish", `{"channel":"a","data":1,"tags":{"t":1}}`, 400, "wrong type"},
		{"POST", "/publish", `{"chanel":"a","data":1}`, 400, `there is no key \"chanel\"`},
		{"POST", "/publish", `{"channel":"a","data":1} {}`, 400, "more than one"},
		{"POST", "/publish", `{"channel":"a","data":1`, 400, small},
		{"POST", "/publish", "{\"channel\":\"a\",\"data\":\"\xff\"}", 400, "not UTF-8"},
		{"POST", "/publish", `[]`, 400, small},
		{"POST", "/publish", `{"channel":"a","data":` + strings.Repeat("[", 15000) + `}`, 400, small},
		{"POST", "/publish", ``, 400, "empty"},

		{"POST", "/batch", `{"publications":[{"channel":"b","data":1},{"channel":"","data":1},{"channel":"b"}]}`, 200,
			`,"offset":1},{"error":{"code":"bad_channel"`},
		{"POST", "/batch", `{"publications":[{"channel":"f"},{"channel":"f","data":1}]}`, 200, `text and base64"}},{"epoch":`},
		{"POST", "/batch", `{"publications":[{"channel":"c","data":1},{"channel":"c","data":2}]}`, 200, `,"offset":2}]}`},
		{"POST", "/batch", `{"publications":[]}`, 400, "1 to 3"},
		{"POST", "/batch", `{"publications":[{},{},{},{}]}`, 400, "1 to 3"},
		{"POST", "/batch", `{"publications":{}}`, 400, small},
		{"POST", "/broadcast", `{"channels":["d","e"],"text":"to all","from":"ada"}`, 200, `{"results":[{"channel":"d","epoch":`},
		{"POST", "/broadcast", `{"channels":["d","*"],"text":"to all"}`, 200, `{"channel":"*","error":{"code":"bad_channel"`},
		{"POST", "/broadcast", `{"channels":[],"text":"to none"}`, 400, "1 to 3"},
		{"POST", "/broadcast", `{"channels":["1","2","3","4"],"text":"to none"}`, 400, "1 to 3"},
		{"POST", "/broadcast", `{"channels":["1"]}`, 400, "one of data"},

		{"GET", "/history?channel=a", "", 200, `{"channel":"a","messages":[` +
			`{"channel":"a","epoch":"{e}","offset":1,"time":1790000000000,"data":{"n":1}},` +
			`{"channel":"a","epoch":"{e}","offset":2,"time":1790000000000,"data":{"n":2}}` +
			`],"top":{"epoch":"{e}","offset":6},"missing":0}`},
		{"GET", "/history?channel=a&epoch={e}&offset=2&limit=1", "", 200, `"messages":[{"channel":"a","epoch":"{e}","offset":3,` +
			`"time":1790000000000,"from":"ada","key":"k","tags":{"t":"v"},"text":"three"}],`},
		{"GET", "/history?channel=a&epoch={e}&offset=3&limit=1", "", 200, `"base64":"/w=="}],"top":{"epoch":"{e}","offset":6},"missing":0}`},
		{"GET", "/history?channel=a&epoch={e}&offset=6", "", 200, `"messages":[],"top":{"epoch":"{e}","offset":6},"missing":0}`},
		{"GET", "/history?channel=a&epoch=old&offset=2&limit=1", "", 200, `"offset":1,"time":1790000000000,"data":{"n":1}}],"top":{"epoch":"{e}","offset":6},"missing":-1}`},
		{"GET", "/history?channel=a&last=1", "", 200, `"messages":[{"channel":"a","epoch":"{e}","offset":6,"time":1790000000000,"text":""}],"top":{"epoch":"{e}","offset":6},"missing":0}`},
		{"GET", "/history?channel=a&last=0", "", 200, `"messages":[],`},
		{"GET", "/history?channel=a&epoch={e}&offset=1&last=1", "", 200, `"missing":4}`},
		{"GET", "/history?channel=nothing", "", 200, `{"channel":"nothing","messages":[],"top":{"epoch":"","offset":0},"missing":0}`},
		{"GET", "/history", "", 400, `"code":"bad_channel"`},
		{"GET", "/history?channel=a&limit=x", "", 400, "limit is a number"},
		{"GET", "/history?channel=a&last=-1", "", 400, "last is a number"},
		{"GET", "/history?channel=a&epoch=e", "", 400, "a place is"},
		{"GET", "/history?channel=a&offset=1", "", 400, "a place is"},
		{"GET", "/history?channel=a&epoch=e&offset=-1", "", 400, "a place is"},
		{"GET", "/history?channel=%zz", "", 400, "query"},

		{"GET", "/members?channel=chat:1", "", 200, `{"channel":"chat:1","members":[],"total":0}`},
		{"GET", "/members?channel=a", "", 404, `"code":"not_found"`},
		{"GET", "/members?channel=", "", 400, `"code":"bad_channel"`},
		{"GET", "/members?channel=chat:1&limit=-1", "", 400, "limit"},

		{"POST", "/disconnect", `{"user":"nobody"}`, 200, `{"clients":0}`},
		{"POST", "/disconnect", `{}`, 400, "user is needed"},
		{"POST", "/disconnect", `{"user":7}`, 400, "wrong type"},
		{"POST", "/unsubscribe", `{"user":"nobody","channel":"a"}`, 200, `{}`},
		{"POST", "/unsubscribe", `{"user":"nobody","channel":"a*","text":"why"}`, 200, `{}`},
		{"POST", "/unsubscribe", `{"user":"nobody"}`, 400, `"code":"bad_channel"`},
		{"POST", "/unsubscribe", `{"channel":"a"}`, 400, "user is needed"},
		{"POST", "/forget", `{"channel":"b"}`, 200, `{}`},
		{"POST", "/forget", `{"channel":"b c"}`, 400, `"code":"bad_channel"`},
		{"GET", "/stats", "", 200, `{"clients":0,"subscriptions":0,"channels":5,"published":`},

		{"GET", "/", "", 404, `"code":"not_found"`},
		{"GET", "/publish/", "", 404, `"code":"not_found"`},
		{"GET", "/publish", "", 405, "POST"},
		{"PUT", "/publish", `{}`, 405, "POST"},
		{"OPTIONS", "/publish", "", 405, "POST"},
		{"POST", "/stats", `{}`, 405, "GET, HEAD"},
		{"DELETE", "/openapi.json", "", 405, "GET, HEAD"},
	})
	if r := ask(t, s, "PUT", "/stats", ""); r.Header("allow") != "GET, HEAD" {
		t.Errorf("405 with %v", r.Headers)
	}
}

func TestKeys(t *testing.T) {
	s := newServer(t, api.Config{Hub: newHub(t, hub.Config{})})
	for name, c := range map[string]struct {
		target string
		header []asgi.Header
		ok     bool
	}{
		"the first key":         {"/stats", []asgi.Header{bearer(keyA)}, true},
		"the second key":        {"/stats", []asgi.Header{bearer(keyB)}, true},
		"another case":          {"/stats", []asgi.Header{{Name: "authorization", Value: "bearer  " + keyA}}, true},
		"none":                  {"/stats", nil, false},
		"an empty one":          {"/stats", []asgi.Header{bearer("")}, false},
		"a part":                {"/stats", []asgi.Header{bearer(keyA[:15])}, false},
		"more":                  {"/stats", []asgi.Header{bearer(keyA + "0")}, false},
		"both":                  {"/stats", []asgi.Header{bearer(keyA + " " + keyB)}, false},
		"another scheme":        {"/stats", []asgi.Header{{Name: "authorization", Value: "Basic " + keyA}}, false},
		"no scheme":             {"/stats", []asgi.Header{{Name: "authorization", Value: keyA}}, false},
		"in the query":          {"/stats?token=" + keyA, nil, false},
		"none, for what is not": {"/nothing", nil, false},
	} {
		r := asgitest.Do(t, s, asgitest.HTTPScope("GET", c.target, c.header...), nil)
		if c.ok && r.Status != 200 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
		if !c.ok && (r.Status != 401 || r.Header("www-authenticate") != "Bearer" || !strings.Contains(string(r.Body), `"code":"bad_token"`)) {
			t.Errorf("%s: %d %v %s", name, r.Status, r.Headers, r.Body)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	h := newHub(t, hub.Config{})
	for says, config := range map[string]api.Config{
		"Hub is nil":            {Keys: []string{keyA}},
		"Keys is empty":         {Hub: h},
		"Keys[1] has 15 bytes":  {Hub: h, Keys: []string{keyA, keyA[:15]}},
		"Keys[0] has 0 bytes":   {Hub: h, Keys: []string{""}},
		"a limit is negative":   {Hub: h, Keys: []string{keyA}, MaxBatch: -1},
		"a limit is negative ":  {Hub: h, Keys: []string{keyA}, MaxAnswer: -1},
		"a limit is negative  ": {Hub: h, Keys: []string{keyA}, MaxBodyBytes: -1},
	} {
		if _, err := api.New(config); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(says)) {
			t.Errorf("%v, want %s", err, says)
		}
	}
	for says, config := range map[string]api.PublishConfig{
		"Hub is nil":          {Authenticate: hub.Anyone(hub.Everything)},
		"Authenticate is nil": {Hub: h},
		"origin":              {Hub: h, Authenticate: hub.Anyone(hub.Everything), AllowedOrigins: []string{"friend.example"}},
	} {
		if _, err := api.NewPublish(config); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
	}
}

// A body is counted as it comes, and before if its length is announced.
func TestBodies(t *testing.T) {
	h := newHub(t, hub.Config{MaxPublishBytes: 10})
	s := newServer(t, api.Config{Hub: h, MaxBodyBytes: 1})
	const most = 10*6 + 16<<10 // what a message may need
	fits := `{"channel":"a","data":1}` + strings.Repeat(" ", most-24)

	x := asgitest.New(t, s, asgitest.HTTPScope("POST", "/publish", bearer(keyA)))
	for i := range fits {
		x.Deliver(&asgi.HTTPRequest{Body: []byte(fits[i : i+1]), MoreBody: i+1 < len(fits)})
	}
	if r := x.Response(); r.Status != 200 {
		t.Errorf("as large as may be: %d %s", r.Status, r.Body)
	}
	x = asgitest.New(t, s, asgitest.HTTPScope("POST", "/publish", bearer(keyA)))
	x.Deliver(&asgi.HTTPRequest{Body: []byte(fits), MoreBody: true}, &asgi.HTTPRequest{Body: []byte(" "), MoreBody: true})
	if r := x.Response(); r.Status != 413 || !strings.Contains(string(r.Body), `"code":"too_large"`) {
		t.Errorf("one byte more: %d %s", r.Status, r.Body)
	}
	x = asgitest.New(t, s, asgitest.HTTPScope("POST", "/publish", bearer(keyA),
		asgi.Header{Name: "content-length", Value: fmt.Sprint(most + 1)}))
	if r := x.Response(); r.Status != 413 {
		t.Errorf("announced: %d", r.Status)
	}
	x.Deliver(&asgi.HTTPRequest{Body: []byte(`{"channel":"a","data":2}`)}) // and then it comes
	if h.Stats().Published != 1 {
		t.Errorf("%d were published", h.Stats().Published)
	}
}

// An answer waits for the client to take it.
func TestLargeAnswer(t *testing.T) {
	h := newHub(t, hub.Config{})
	s := newServer(t, api.Config{Hub: h})
	for range 10 {
		if _, err := h.PublishOne(hub.Publication{Channel: "a", Data: []byte(strings.Repeat("x", 60_000))}); err != nil {
			t.Fatal(err)
		}
	}
	x := asgitest.New(t, s, asgitest.HTTPScope("GET", "/history?channel=a", bearer(keyA)))
	x.Deliver(&asgi.HTTPRequest{})
	whole := x.Response()
	if !whole.Complete || len(whole.Body) < 600_000 || whole.Header("content-length") != fmt.Sprint(len(whole.Body)) {
		t.Fatalf("%d bytes, %v, %v", len(whole.Body), whole.Complete, whole.Headers)
	}
	full := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		x.(*asgitest.Exchange).Congest()
		return s.Open(scope, x)
	})
	x = asgitest.New(t, full, asgitest.HTTPScope("GET", "/history?channel=a", bearer(keyA)))
	x.Deliver(&asgi.HTTPRequest{})
	if r := x.Response(); len(r.Body) > 0 || r.Complete {
		t.Errorf("%d bytes were sent to a full outbox", len(r.Body))
	}
	x.Drain()
	if r := x.Response(); !r.Complete || string(r.Body) != string(whole.Body) {
		t.Errorf("%d bytes, %v", len(r.Body), r.Complete)
	}
}
