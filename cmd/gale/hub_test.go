package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const (
	apiKey    = "a key of the backend"
	jwtSecret = "a secret that has as many bytes as HS256 needs"
)

// request makes a request of the program and returns its answer.
func (p *process) request(client *http.Client, method, path, token, body string) (*http.Response, string) {
	p.t.Helper()
	q, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	r, err := client.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r, string(answer)
}

func newClient(t *testing.T) *http.Client {
	c := &http.Client{Transport: &http.Transport{}, Timeout: waitLimit}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// file writes a file into a folder and returns its path.
func file(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServePublishes(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			config := file(t, t.TempDir(), "gale.toml", `
hub-path = "/elsewhere"
[anonymous]
publish = ["open:*"]
[channels."*"]
history-messages = 1
`)
			cmd := command(t, []string{"GALE_API_KEYS=" + apiKey, "GALE_METRICS=on"},
				"serve", "--addr", "127.0.0.1:0", "--engine", engine, "--config", config, "--hub-path", "/hub")
			p := serveCommand(t, cmd)
			client := newClient(t)
			for _, c := range []struct {
				method, path, token, body string
				status                    int
				says                      string
			}{
				{"GET", "/healthz", "", "", 200, "ok"},
				{"POST", "/hub/publish", "", `{"channel":"open:1","text":"hello"}`, 200, `"offset":1}`},
				{"POST", "/hub/publish", "", `{"channel":"open:1","data":{"n":2}}`, 200, `"offset":2}`},
				{"POST", "/hub/publish", "", `{"channel":"closed","text":"hello"}`, 403, `"code":"not_allowed"`},
				{"POST", "/hub/publish", "x.y.z", `{"channel":"open:1","text":"hello"}`, 200, `"offset":3}`}, // no tokens here
				{"POST", "/hub/api/publish", apiKey, `{"channel":"closed","text":"by the backend"}`, 200, `"offset":1}`},
				{"POST", "/hub/api/publish", "not " + apiKey, `{"channel":"closed","text":"x"}`, 401, `"code":"bad_token"`},
				{"GET", "/hub/api/history?channel=open:1", apiKey, "", 200, `"text":"hello"}],"top":`},
				{"GET", "/hub/api/stats", apiKey, "", 200, `"published":4,`},
				{"GET", "/metrics", "", "", 200, "\ngale_hub_published_total 4\n"},
				{"GET", "/hub/api/openapi.json", "", "", 200, `"url": "/hub/api"`},
				{"GET", "/elsewhere/publish", "", "", 404, ""},
			} {
				r, body := p.request(client, c.method, c.path, c.token, c.body)
				if r.StatusCode != c.status || !strings.Contains(body, c.says) {
					t.Errorf("%s %s %s: %s %s, want %d %s", c.method, c.path, c.body, r.Status, body, c.status, c.says)
				}
				if strings.HasPrefix(c.path, "/hub/api/history") && strings.Contains(body, `"offset":1,`) {
					t.Errorf("the history holds more than one: %s", body)
				}
			}
			client.CloseIdleConnections()
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// certificate makes a certificate for this machine, and its key.
func certificate(t *testing.T) (certificate, key []byte, roots *x509.CertPool) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pair.Public(), pair)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), roots
}

func TestServeTLS(t *testing.T) {
	folder := t.TempDir()
	cert, key, roots := certificate(t)
	file(t, folder, "cert.pem", string(cert))
	file(t, folder, "key.pem", string(key))
	config := file(t, folder, "gale.toml", `
engine = "nethttp"
[tls]
certificate = "cert.pem" # beside this file
key = "key.pem"
`)
	p := serveCommand(t, command(t, nil, "serve", "--config", config, "--addr", "127.0.0.1:0", "--anonymous", "all"))
	client := newClient(t)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	if r, body := p.request(client, "POST", "/hub/publish", "", `{"channel":"a","text":"hello"}`); r.StatusCode != 200 || r.TLS == nil {
		t.Errorf("%s %s", r.Status, body)
	}
	stdout, stderr, code := output(t, nil, "serve", "--check", "--config", config, "--engine", "loop", "--anonymous", "all")
	if code != exitUsage || !strings.Contains(stderr, "the event loop does not speak TLS") {
		t.Errorf("TLS on the loop: %d %s %s", code, stdout, stderr)
	}
}

func TestServeTakesTokens(t *testing.T) {
	cmd := command(t, []string{"GALE_JWT_SECRET=" + jwtSecret}, "serve", "--addr", "127.0.0.1:0")
	p := serveCommand(t, cmd)
	client := newClient(t)
	token := signed(t, jwtSecret, map[string]any{
		"sub": "ada", "exp": time.Now().Add(time.Hour).Unix(), "channels": map[string]any{"publish": []string{"chat:*"}},
	})
	for _, c := range []struct {
		token, channel string
		status         int
		code           string
	}{
		{token, "chat:1", 200, ""},
		{token, "news", 403, "not_allowed"},
		{token + "x", "chat:1", 401, "bad_token"},
		{"", "chat:1", 401, "bad_token"},
		{signed(t, jwtSecret, map[string]any{"exp": 1}), "chat:1", 401, "token_expired"},
	} {
		r, body := p.request(client, "POST", "/hub/publish", c.token, `{"channel":"`+c.channel+`","text":"hello"}`)
		var answer struct{ Code string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || r.StatusCode != c.status || answer.Code != c.code {
			t.Errorf("%q in %s: %s %s", c.token, c.channel, r.Status, body)
		}
	}
	if r, _ := p.request(client, "GET", "/hub/api/stats", "", ""); r.StatusCode != 404 {
		t.Errorf("the API of servers without a key: %s", r.Status)
	}
}

// Who has a token is who it says, and who has none may do what everybody may.
func TestServeTakesTokensAndOthers(t *testing.T) {
	config := file(t, t.TempDir(), "gale.toml", `
[[jwt.keys]]
algorithm = "HS256"
secret = "`+jwtSecret+`"
[anonymous]
publish = ["open"]
`)
	p := serve(t, "serve", "--addr", "127.0.0.1:0", "--config", config)
	client := newClient(t)
	token := signed(t, jwtSecret, map[string]any{
		"exp": time.Now().Add(time.Hour).Unix(), "channels": map[string]any{"publish": []string{"chat"}},
	})
	for _, c := range []struct {
		token, channel string
		status         int
	}{{token, "chat", 200}, {token, "open", 403}, {"", "open", 200}, {"", "chat", 403}, {token + "x", "open", 401}} {
		r, body := p.request(client, "POST", "/hub/publish", c.token, `{"channel":"`+c.channel+`","text":"hello"}`)
		if r.StatusCode != c.status {
			t.Errorf("%q in %s: %s %s", c.token, c.channel, r.Status, body)
		}
	}
}

// A message comes to whoever subscribes, however it was published, and the end of the
// server is told.
func TestServeDelivers(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) { testServeDelivers(t, engine) })
	}
}

func testServeDelivers(t *testing.T, engine string) {
	p := serveCommand(t, command(t, []string{"GALE_API_KEYS=" + apiKey, "GALE_ANONYMOUS=subscribe"},
		"serve", "--addr", "127.0.0.1:0", "--engine", engine, "--drain-timeout", "2s"))
	conn := p.dial("/hub/ws")
	say := func(command string) {
		t.Helper()
		if err := conn.WriteMessage(websocket.TextMessage, []byte(command)); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		for {
			_, message, err := conn.ReadMessage()
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if strings.Contains(string(message), want) {
				return
			}
		}
	}
	say(`{"id":1,"connect":{}}`)
	expect(`"connected"`)
	say(`{"id":2,"subscribe":{"channel":"news"}}`)
	expect(`"subscribed"`)
	say(`{"id":3,"publish":{"channel":"news","text":"not allowed"}}`)
	expect(`"not_allowed"`)
	client := newClient(t)
	if r, body := p.request(client, "POST", "/hub/api/publish", apiKey, `{"channel":"news","text":"hello"}`); r.StatusCode != 200 {
		t.Errorf("%s %s", r.Status, body)
	}
	expect(`"text":"hello"`)
	if r, body := p.request(client, "GET", "/hub/client.js", "", ""); r.StatusCode != 200 || !strings.Contains(body, "export") {
		t.Errorf("client.js: %s", r.Status)
	}
	// A poll and a stream that begin with the history, as with curl.
	if r, body := p.request(client, "GET", "/hub/poll?ch=news&last=1", "", ""); r.StatusCode != 200 || !strings.Contains(body, `"text":"hello"`) {
		t.Errorf("the poll: %s %s", r.Status, body)
	}
	r, err := client.Get(p.url + "/hub/sse?ch=news&last=1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if !readUntil(r.Body, `"text":"hello"`) || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("the stream: %s %v", r.Status, r.Header)
	}
	p.signal(syscall.SIGTERM)
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
				t.Errorf("the connection ended with %v, want 1012", err)
			}
			break
		}
	}
	if _, err := io.ReadAll(r.Body); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	client.CloseIdleConnections()
	if code := p.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// readUntil reads until a text has come, and reports whether it has.
func readUntil(r io.Reader, text string) bool {
	var all []byte
	for piece := make([]byte, 1000); !strings.Contains(string(all), text); {
		n, err := r.Read(piece)
		all = append(all, piece[:n]...)
		if err != nil {
			return strings.Contains(string(all), text)
		}
	}
	return true
}

// Pages of other origins come in if they are allowed to.
func TestServeOrigins(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			p := serve(t, "serve", "--addr", "127.0.0.1:0", "--engine", engine, "--anonymous", "all",
				"--allowed-origins", "https://friend.example:443, https://other.example:8443, https://*.friends.example")
			for origin, allowed := range map[string]bool{
				"https://friend.example": true, "https://other.example:8443": true, "https://other.example": false,
				"https://FRIEND.example:443": true, "https://a.b.friends.example": true, "https://friends.example": false,
				"http://a.friends.example": false, "https://a.friends.example.evil.example": false, "null": false,
			} {
				for path, method := range map[string]string{"/hub/sse?ch=a": "GET", "/hub/poll?ch=a&wait=0": "GET", "/hub/publish": "POST"} {
					preflight(t, p.url+path, origin, method, allowed)
					if method == "GET" {
						readable(t, p.url+path, origin, allowed)
					}
				}
				conn, r, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"/hub/ws", http.Header{"Origin": {origin}})
				if err == nil {
					conn.Close()
				}
				if (err == nil) != allowed || !allowed && (r == nil || r.StatusCode != 403) {
					t.Errorf("a WebSocket of %s: %v", origin, err)
				}
				q, err := http.NewRequest("POST", p.url+"/hub/publish", strings.NewReader(`{"channel":"a","text":"x"}`))
				if err != nil {
					t.Fatal(err)
				}
				q.Header.Set("Origin", origin)
				client := newClient(t)
				r, err = client.Do(q)
				if err != nil {
					t.Fatal(err)
				}
				r.Body.Close()
				client.CloseIdleConnections()
				if (r.StatusCode == 200) != allowed || (r.Header.Get("Access-Control-Allow-Origin") == origin) != allowed {
					t.Errorf("publishing of %s: %s %v", origin, r.Status, r.Header)
				}
			}
		})
	}
}

// preflight asks whether a page may send a request.
func preflight(t *testing.T, url, origin, method string, allowed bool) {
	t.Helper()
	q, err := http.NewRequest("OPTIONS", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Origin", origin)
	q.Header.Set("Access-Control-Request-Method", method)
	client := newClient(t)
	defer client.CloseIdleConnections()
	r, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	const fields = "authorization, cache-control, content-type, if-none-match, last-event-id, prefer"
	if (r.StatusCode == 204) != allowed || (r.Header.Get("Access-Control-Allow-Origin") == origin) != allowed ||
		allowed && (r.Header.Get("Access-Control-Allow-Headers") != fields || r.Header.Get("Access-Control-Allow-Methods") != method) {
		t.Errorf("preflight of %s from %s: %s %v", url, origin, r.Status, r.Header)
	}
}

// readable looks whether a page may read an answer.
func readable(t *testing.T, url, origin string, allowed bool) {
	t.Helper()
	q, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Origin", origin)
	client := newClient(t)
	defer client.CloseIdleConnections()
	r, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if (r.Header.Get("Access-Control-Allow-Origin") == origin) != allowed {
		t.Errorf("%s from %s: %s %v", url, origin, r.Status, r.Header)
	}
}

// The example is right, and so is what is a comment in it.
func TestExampleConfig(t *testing.T) {
	text, err := os.ReadFile("hub.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	whole := uncommented(string(text))
	folder := t.TempDir()
	cert, key, _ := certificate(t)
	file(t, folder, "cert.pem", string(cert))
	file(t, folder, "key.pem", string(key))
	block, _ := pem.Decode(cert)
	if block == nil {
		t.Fatal("no certificate")
	}
	file(t, folder, "jwt.pem", string(cert))
	for _, name := range []string{"site", "cgi-bin"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range []string{"404.html", "app.html"} {
		file(t, filepath.Join(folder, "site"), page, "<p>")
	}
	whole = strings.Replace(whole, `algorithm = "EdDSA"`, `algorithm = "ES256"`, 1) // as the certificate's
	whole = strings.Replace(whole, `engine = "loop"`, `engine = "nethttp"`, 1)      // which speaks TLS
	for name, text := range map[string]string{"as it is": string(text), "with all": whole} {
		path := file(t, folder, "gale.toml", text)
		stdout, stderr, code := output(t, nil, "serve", "--check", "--config", path)
		if code != exitOK || stdout != "the settings are right\n" {
			t.Errorf("%s: %d %s %s\n%s", name, code, stdout, stderr, text)
		}
	}
	if keys := settings(t, whole); keys < 40 {
		t.Errorf("there are %d settings in the example", keys)
	}
}

// uncommented makes settings of the comments that look like them.
func uncommented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		rest, comment := strings.CutPrefix(line, "# ")
		setting := strings.HasPrefix(rest, "[") || strings.Contains(rest, " = ") && !strings.Contains(rest[:strings.Index(rest, " = ")], " ")
		if comment && setting {
			line = rest
		}
		b.WriteString(line)
	}
	return b.String()
}

// settings counts the keys of a file.
func settings(t *testing.T, text string) (n int) {
	t.Helper()
	for name := range placesOf([]byte(text)) {
		if name != "" {
			n++
		}
	}
	return n
}

func TestServeSettings(t *testing.T) {
	const anyone = "[anonymous]\nsubscribe = [\"*\"]\n"
	folder := t.TempDir()
	for _, c := range []struct {
		text string
		args string
		env  string
		says string // nothing: it is right
	}{
		{text: anyone},
		{args: "--anonymous subscribe"},
		{env: "GALE_ANONYMOUS=all"},
		{env: "GALE_JWT_SECRET=" + strings.Repeat("x", 32)},
		{says: "nobody could come in"},
		{text: anyone, args: "--anonymous none", says: "nobody could come in"},
		{text: anyone + "[x]", says: `gale.toml:3: there is no setting "x"`},
		{text: "\nadress = \"x\"\n" + anyone, says: `gale.toml:2: there is no setting "adress"`},
		{text: anyone + "[limits]\nclient = 7", says: `gale.toml:4: there is no setting "limits.client"`},
		{text: "addr = \"nowhere\"\n" + anyone, says: `gale.toml:1: addr: "nowhere" is no address`},
		{text: "addr = \"nowhere\"\n" + anyone, args: "--addr :0"},
		{text: "addr = \"nowhere\"\n" + anyone, env: "GALE_ADDR=:0"},
		{text: "addr = \":0\"\n" + anyone, env: "GALE_ADDR=nowhere", says: `GALE_ADDR: "nowhere" is no address`},
		{text: anyone, env: "GALE_ADDR=:0", args: "--addr nowhere", says: `--addr: "nowhere" is no address`},
		{text: "addr = 8080\n" + anyone, says: `gale.toml:1: addr: the value has the wrong type: integer`},
		{text: "addr = \"x", says: "gale.toml:1:"},
		{text: "addr = \":0\"\naddr = \":1\"\n", says: "gale.toml:2:"},
		{text: "engine = \"jet\"\n" + anyone, says: `gale.toml:1: engine: "jet" is none of loop, nethttp`},
		{text: "log-level = \"loud\"\n" + anyone, says: `gale.toml:1: log-level: "loud" is none of`},
		{text: "hub-path = \"hub\"\n" + anyone, says: `gale.toml:1: hub-path: "hub" is no path`},
		{text: "hub-path = \"/\"\n" + anyone, says: `gale.toml:1: hub-path: "/" is no path`},
		{text: "metrics = \"maybe\"\n" + anyone, says: `gale.toml:1: metrics: "maybe" is none of on, off`},
		{text: "drain-timeout = \"soon\"\n" + anyone, says: `gale.toml:1: drain-timeout: "soon" is no time`},
		{text: "allowed-origins = [\"https://a.*\"]\n" + anyone, says: `gale.toml:1: allowed-origins: cors: the origin "https://a.*" is not`},
		{text: "allowed-origins = [\"example.org\"]\n" + anyone, says: `gale.toml:1: allowed-origins: cors: the origin "example.org" is not`},
		{text: anyone + "[api]\nkeys = [\"short\"]", says: `gale.toml:4: api.keys: a key has at least 16`},
		{text: anyone, env: "GALE_API_KEYS=short", says: `GALE_API_KEYS: a key has at least 16`},
		{text: "[anonymous]\npublish = [\"a b\"]", says: `gale.toml:2: anonymous.publish: "a b" is no channel`},
		{args: "--anonymous some", says: `--anonymous: "some" is none of none, subscribe, all`},
		{text: "[jwt]\nleeway = \"x\"\n" + anyone, says: `gale.toml:2: jwt.leeway: "x" is no time`},
		{env: "GALE_JWT_SECRET=short", says: `GALE_JWT_SECRET: its secret has 5 bytes, and needs 32`},
		{text: "[[jwt.keys]]\nalgorithm = \"HS256\"\nsecret = \"" + jwtSecret + "\"\n\n[[jwt.keys]]\nalgorithm = \"none\"\nsecret = \"x\"",
			says: `gale.toml:5: jwt.keys[1]: `},
		{text: "[jwt]\naudience = \"chat\"\n" + anyone, says: `gale.toml:1: jwt: there are no keys`},
		{text: "[[jwt.keys]]\nalgorithm = \"HS256\"\nsecret = \"short\"", says: `gale.toml:1: jwt.keys[0]: its secret has 5 bytes`},
		{text: "[[jwt.keys]]\nalgorithm = \"HS256\"", says: `gale.toml:1: jwt.keys[0]: a key has one of`},
		{text: "[jwt]\nkeys = [{algorithm = \"RS256\", public-key = \"x\"}]", says: `gale.toml:2: jwt.keys[0]: jwt: this is no key in PEM`},
		{text: "[[jwt.keys]]\nalgorithm = \"RS256\"\npublic-key-file = \"none.pem\"", says: `none.pem`},
		{text: anyone + "[tls]\ncertificate = \"none.pem\"", says: "TLS needs both"},
		{text: anyone, args: "--tls-certificate none.pem --tls-key none.pem", says: "none.pem"},
		{text: anyone + "[limits]\nclients = -1", says: `gale.toml:4: limits.clients: a limit is not negative`},
		{text: anyone + "[limits]\npublish-rate = -1"},
		{text: anyone + "[channels.\"a:\"]\nhistory-messages = -1", says: `gale.toml:4: channels.a:.history-messages: a limit is not negative`},
		{text: anyone + "[channels.\"a:\"]\npublish-rate = -1", says: `gale.toml:4: channels.a:.publish-rate: a limit is not negative`},
		{text: anyone + "[channels.\"a:\"]\nhistory-age = \"x\"", says: `gale.toml:4: channels.a:.history-age: "x" is no time`},
		{text: anyone + "[channels.\"a:\"]\nslow = \"wait\"", says: `gale.toml:4: channels.a:.slow: "wait" is none of disconnect`},
		{text: anyone + "channels = {\"a:\" = {slow = \"wait\"}}", says: `gale.toml:3:`},
		{text: anyone + "[cursor]\nsecrets = [\"short\"]", says: `gale.toml:4: cursor.secrets: cursor: a secret has fewer than 16 bytes`},
		{text: anyone + "[limits]\npublish-rate = nan", says: `gale.toml:4: limits.publish-rate: a rate is a number`},
		{text: anyone + "[channels.\"a:\"]\npublish-rate = inf", says: `gale.toml:4: channels.a:.publish-rate: a rate is a number`},
		{text: anyone + "[channels.\"a:*\"]\npresence = true", says: `gale.toml:3: channels.a:*: no channel's name begins so`},
		{text: anyone + "[api]\nkeys = [\"one of sixteen bytes,another of sixteen\"]", says: `gale.toml:4: api.keys: a key has at least 16 characters, and no comma`},
		{text: anyone, args: "--api-keys ,", says: "--api-keys: there are commas, and no key between them"},
		{text: "forwarded-allow-ips = [\"proxy\"]\n" + anyone, says: `gale.toml:1: forwarded-allow-ips: "proxy" is no address`},
		{text: "proxy-headers = \"maybe\"\n" + anyone, says: `gale.toml:1: proxy-headers: "maybe" is none of on, off`},
		{args: "--config nothing.toml", says: "nothing.toml: no such file"},
		{text: anyone + "[[mount]]\npath = \"/files\"\nstatic = \".\"\nlisting = true\n[[mount.cache]]\npattern = \"*.js\"\ncache-control = \"no-store\"\n[[mount]]\npath = \"/\"\ncgi = \".\""},
		{text: anyone + "[[mount]]\nstatic = \".\"", says: `gale.toml:3: mount[0].path: "" is no path to mount on`},
		{text: anyone + "[[mount]]\npath = \"files\"\nstatic = \".\"", says: `gale.toml:4: mount[0].path: "files" is no path to mount on`},
		{text: anyone + "[[mount]]\npath = \"/files\"", says: `gale.toml:3: mount[0]: it has neither static nor cgi nor program`},
		{text: anyone + "[[mount]]\npath = \"/files\"\nstatic = \".\"\ncgi = \".\"", says: `gale.toml:3: mount[0]: it has static and cgi`},
		{text: anyone + "[[mount]]\npath = \"/a\"\nstatic = \".\"\n[[mount]]\npath = \"/a\"\ncgi = \".\"", says: `gale.toml:7: mount[1].path: "/a" is taken`},
		{text: anyone + "[[mount]]\npath = \"/hub\"\nstatic = \".\"", says: `gale.toml:4: mount[0].path: "/hub" is taken`},
		{text: anyone + "[[mount]]\npath = \"/a\"\nstatic = \".\"\ntimeout = \"5s\"", says: `gale.toml:6: mount[0].timeout: it does not go with static`},
		{text: anyone + "[[mount]]\npath = \"/a\"\ncgi = \".\"\nlisting = true", says: `gale.toml:6: mount[0].listing: it does not go with cgi`},
		{text: anyone + "[[mount]]\npath = \"/a\"\ncgi = \".\"\ntimeout = \"soon\"", says: `gale.toml:6: mount[0].timeout: "soon" is no time`},
		{text: anyone + "[[mount]]\npath = \"/a\"\ncgi = \".\"\nprocesses = -1", says: `gale.toml:6: mount[0].processes: a limit is not negative`},
		{text: anyone + "[[mount]]\npath = \"/a\"\ncgi = \".\"\nmax-body = \"big\"", says: `gale.toml:6: mount[0].max-body: "big" is no size`},
		{text: anyone + "[[mount]]\npath = \"/a\"\ncgi = \".\"\nmemory = \"much\"", says: `gale.toml:6: mount[0].memory: "much" is no size`},
		{text: anyone + "[[mount]]\npath = \"/a\"\ncgi = \".\"\nopen-files = -1", says: `gale.toml:6: mount[0].open-files: a limit is not negative`},
		{text: anyone + "[[mount]]\npath = \"/a\"\ncgi = \".\"\nenv = [\"HOME\"]", says: `gale.toml:6: mount[0].env: "HOME" is no variable`},
		{text: anyone + "[[mount]]\npath = \"/a\"\nstatic = \".\"\nheaders = [\"x\"]", says: `gale.toml:6: mount[0].headers: "x" is no field`},
		{text: anyone + "[[mount]]\npath = \"/a\"\nstatic = \"nowhere\"", says: `gale.toml:3: mount[0]: `},
		{text: anyone + "[[mount]]\npath = \"/a\"\ncgi = \"nowhere\"", says: `gale.toml:3: mount[0]: `},
		{text: anyone + "[[mount]]\npath = \"/a\"\nfiles = \".\"", says: `gale.toml:5: there is no setting "mount.files"`},
	} {
		args := append([]string{"serve", "--check"}, strings.Fields(c.args)...)
		if c.text != "" {
			args = append(args, "--config", file(t, folder, "gale.toml", c.text))
		}
		var env []string
		if c.env != "" {
			env = []string{c.env}
		}
		stdout, stderr, code := output(t, env, args...)
		if c.says == "" {
			if code != exitOK || stdout != "the settings are right\n" {
				t.Errorf("%s %s %q: exit code %d, said %q and %q", c.env, c.args, c.text, code, stdout, stderr)
			}
		} else if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.says) {
			t.Errorf("%s %s %q: exit code %d, said %q and %q, want %q", c.env, c.args, c.text, code, stdout, stderr, c.says)
		}
	}
}

// What the file says comes to where it belongs.
func TestHubConfig(t *testing.T) {
	path := file(t, t.TempDir(), "gale.toml", `
[limits]
clients = 1
clients-per-user = 2
subscriptions = 3
channels = 4
publish-bytes = 5
publish-rate = 6
publish-burst = 7
backlog = 8
bytes = 9
[channels."*"]
history-messages = 0
[channels."a:"]
history-messages = 9
history-bytes = 10
history-age = "11s"
slow = "latest"
max-lag-bytes = 12
subscribers = 13
publish-rate = 14
publish-burst = 15
presence = true
`)
	f, err := readHubFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := hubConfig(f)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, v := range []any{c.MaxClients, c.MaxClientsPerUser, c.MaxSubscriptions, c.MaxChannels, c.MaxPublishBytes,
		c.PublishRate, c.PublishBurst, c.MaxBacklog, c.MaxBytes, c.Channels[""], c.Channels["a:"]} {
		if err := json.NewEncoder(&got).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	const want = `1 2 3 4 5 6 7 8 9 ` +
		`{"HistoryMessages":-1,"HistoryBytes":0,"HistoryAge":0,"Slow":0,"MaxLagBytes":0,"MaxSubscribers":0,"PublishRate":0,"PublishBurst":0,"Presence":false} ` +
		`{"HistoryMessages":9,"HistoryBytes":10,"HistoryAge":11000000000,"Slow":2,"MaxLagBytes":12,"MaxSubscribers":13,"PublishRate":14,"PublishBurst":15,"Presence":true}`
	if all := strings.Join(strings.Fields(got.String()), " "); all != want {
		t.Errorf("got  %s\nwant %s", all, want)
	}
}

// The hub remembers who was shut out for longer than a token of before may be good.
func TestHubRevocationAge(t *testing.T) {
	const keys = `
[[jwt.keys]]
algorithm = "HS256"
secret = "0123456789abcdef0123456789abcdef"
`
	for text, want := range map[string]time.Duration{
		keys:                                      25*time.Hour + 20*time.Second,
		"[jwt]\nmax-age = \"720h\"" + keys:        721*time.Hour + 20*time.Second,
		"[jwt]\nmax-age = \"1h\"" + keys:          2*time.Hour + 20*time.Second,
		"[jwt]\nleeway = \"30m\"" + keys:          26 * time.Hour,
		"[jwt]\nmax-age = \"2562047h\"" + keys:    math.MaxInt64,
		"[anonymous]\nsubscribe = [\"*\"]":        0, // the hub's own: nobody has a token
		"[anonymous]\nsubscribe = [\"*\"]" + keys: 25*time.Hour + 20*time.Second,
	} {
		f, err := readHubFile(file(t, t.TempDir(), "gale.toml", text))
		if err != nil {
			t.Fatal(err)
		}
		setup, err := newHubFlags().setup(f, slog.Default())
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got := setup.config.RevocationAge; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// signed is a token.
func signed(t *testing.T, secret string, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
