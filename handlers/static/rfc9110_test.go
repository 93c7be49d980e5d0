package static_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/static"
	"github.com/gale-server/gale/internal/longtest"
)

// ruling is a request, and the answer it gets by RFC 9110. In its fields {tag} stands
// for the entity tag of the file, {date} for its last modification, {before} and {after}
// for an hour beside it.
type ruling struct {
	method string // GET by default
	path   string // /file by default, of 1,000 bytes; /empty has none
	fields string // lines
	want   string // the status, and what ranges
	clause string // of RFC 9110, where nginx and net/http differ
}

var rulings = []ruling{
	// Section 13.1.1: If-Match, compared strongly.
	{fields: `If-Match: {tag}`, want: "200 whole"},
	{fields: `If-Match: "other"`, want: "412"},
	{fields: `If-Match: "other", {tag}`, want: "200 whole"},
	{fields: `If-Match: "a,b", {tag}`, want: "200 whole"},
	{fields: `If-Match: W/{tag}`, want: "412"},
	{fields: `If-Match: *`, want: "200 whole"},
	{fields: "If-Match: \"other\"\nIf-Match: {tag}", want: "200 whole", clause: "5.3"},
	{fields: "If-Match: {tag}\nIf-Match: \"other\"", want: "200 whole", clause: "5.3"},
	{fields: "If-Match: {tag}\nRange: bytes=0-4", want: "206 0-4/1000"},
	{fields: "If-Match: \"other\"\nRange: bytes=0-4", want: "412"},
	{method: "HEAD", fields: `If-Match: "other"`, want: "412"},
	{path: "/nothing", fields: `If-Match: *`, want: "404"},

	// Section 13.1.2: If-None-Match, compared weakly.
	{fields: `If-None-Match: {tag}`, want: "304"},
	{fields: `If-None-Match: W/{tag}`, want: "304"},
	{fields: `If-None-Match: "other"`, want: "200 whole"},
	{fields: `If-None-Match: "other", {tag}`, want: "304"},
	{fields: `If-None-Match: "other",{tag} , "more"`, want: "304"},
	{fields: `If-None-Match: "a,b", {tag}`, want: "304"},
	{fields: `If-None-Match: *`, want: "304"},
	{fields: "If-None-Match: \"other\"\nIf-None-Match: {tag}", want: "304", clause: "5.3"},
	{fields: "If-None-Match: {tag}\nIf-None-Match: \"other\"", want: "304", clause: "5.3"},
	{fields: "If-None-Match: {tag}\nRange: bytes=0-4", want: "304"},
	{fields: "If-None-Match: \"other\"\nRange: bytes=0-4", want: "206 0-4/1000"},
	{method: "HEAD", fields: `If-None-Match: {tag}`, want: "304"},
	{path: "/nothing", fields: `If-None-Match: *`, want: "404"},
	{fields: `If-None-Match: tag`, want: "200 whole"},

	// Section 13.1.3: If-Modified-Since.
	{fields: `If-Modified-Since: {date}`, want: "304"},
	{fields: `If-Modified-Since: {before}`, want: "200 whole"},
	{fields: `If-Modified-Since: {after}`, want: "304", clause: "13.1.3"},
	{fields: `If-Modified-Since: yesterday`, want: "200 whole"},
	{fields: "If-Modified-Since: {date}\nIf-Modified-Since: {before}", want: "200 whole", clause: "13.1.3"},
	{fields: `If-Modified-Since: {rfc850}`, want: "304"},
	{fields: `If-Modified-Since: {asctime}`, want: "304"},
	{fields: "If-Modified-Since: {date}\nRange: bytes=0-4", want: "304"},
	{method: "HEAD", fields: `If-Modified-Since: {date}`, want: "304"},
	{fields: "If-Modified-Since: {date}\nIf-None-Match: \"other\"", want: "200 whole"},
	{fields: "If-Modified-Since: {before}\nIf-None-Match: {tag}", want: "304", clause: "13.1.3"},

	// Section 13.1.4: If-Unmodified-Since.
	{fields: `If-Unmodified-Since: {date}`, want: "200 whole"},
	{fields: `If-Unmodified-Since: {after}`, want: "200 whole"},
	{fields: `If-Unmodified-Since: {before}`, want: "412"},
	{fields: `If-Unmodified-Since: yesterday`, want: "200 whole", clause: "13.1.4"},
	{fields: "If-Unmodified-Since: {before}\nRange: bytes=0-4", want: "412"},
	{fields: "If-Unmodified-Since: {before}\nIf-Match: {tag}", want: "200 whole", clause: "13.1.4"},
	{fields: "If-Unmodified-Since: {after}\nIf-Match: \"other\"", want: "412"},
	{fields: "If-Unmodified-Since: {before}\nIf-None-Match: {tag}", want: "412"},
	{method: "HEAD", fields: `If-Unmodified-Since: {before}`, want: "412"},

	// Section 13.1.5: If-Range, compared strongly, dates exactly.
	{fields: "If-Range: {tag}\nRange: bytes=0-4", want: "206 0-4/1000"},
	{fields: "If-Range: \"other\"\nRange: bytes=0-4", want: "200 whole"},
	{fields: "If-Range: W/{tag}\nRange: bytes=0-4", want: "200 whole"},
	{fields: "If-Range: {date}\nRange: bytes=0-4", want: "206 0-4/1000"},
	{fields: "If-Range: {before}\nRange: bytes=0-4", want: "200 whole"},
	{fields: "If-Range: {after}\nRange: bytes=0-4", want: "200 whole"},
	{fields: "If-Range: nonsense\nRange: bytes=0-4", want: "200 whole"},
	{fields: "If-Range: \"other\"\nRange: bytes=5000-", want: "200 whole"},
	{fields: "If-Range: {tag}", want: "200 whole"},
	{fields: "If-Range: {tag}\nIf-None-Match: {tag}\nRange: bytes=0-4", want: "304"},

	// Section 14.1.2: one range.
	{fields: `Range: bytes=0-0`, want: "206 0-0/1000"},
	{fields: `Range: bytes=0-499`, want: "206 0-499/1000"},
	{fields: `Range: bytes=500-999`, want: "206 500-999/1000"},
	{fields: `Range: bytes=500-`, want: "206 500-999/1000"},
	{fields: `Range: bytes=0-`, want: "206 0-999/1000"},
	{fields: `Range: bytes=0-5000`, want: "206 0-999/1000"},
	{fields: `Range: bytes=999-5000`, want: "206 999-999/1000"},
	{fields: `Range: bytes=-1`, want: "206 999-999/1000"},
	{fields: `Range: bytes=-500`, want: "206 500-999/1000"},
	{fields: `Range: bytes=-5000`, want: "206 0-999/1000"},
	{fields: `Range: bytes=1000-`, want: "416 */1000"},
	{fields: `Range: bytes=1000-2000`, want: "416 */1000"},
	{fields: `Range: bytes=-0`, want: "416 */1000", clause: "14.1.2"},
	{fields: `Range: bytes=5-2`, want: "416 */1000"},
	{fields: `Range: bytes=abc`, want: "416 */1000"},
	{fields: `Range: bytes=-`, want: "416 */1000"},
	{fields: `Range: bytes=1-2-3`, want: "416 */1000"},
	{fields: `Range: bytes=0x1-2`, want: "416 */1000"},
	{fields: `Range: bytes=+1-2`, want: "416 */1000", clause: "14.1.1"},
	{fields: `Range: bytes=`, want: "200 whole"},
	{fields: `Range: bytes=,`, want: "200 whole", clause: "14.2: may be ignored"},
	{fields: `Range: bytes=0-99999999999999999999`, want: "416 */1000"},
	{fields: `Range: bytes=-99999999999999999999`, want: "416 */1000"},
	{fields: `Range: bytes=99999999999999999999-`, want: "416 */1000"},
	{fields: `Range: BYTES=0-4`, want: "206 0-4/1000", clause: "14.1"},
	{fields: `Range: items=0-4`, want: "200 whole", clause: "14.2"},
	{fields: "Range: bytes=0-1\nRange: bytes=3-4", want: "206 0-1/1000"},
	{fields: `Range: nonsense`, want: "200 whole", clause: "14.2: may be ignored"},
	{fields: `Range: bytes= 0-4 `, want: "206 0-4/1000"},
	{method: "HEAD", fields: `Range: bytes=0-4`, want: "206 0-4/1000"},
	{path: "/empty", fields: `Range: bytes=0-`, want: "200 whole"},
	{path: "/empty", fields: `Range: bytes=0-4`, want: "200 whole"},
	{path: "/empty", fields: `Range: bytes=-5`, want: "200 whole", clause: "14.4: there is no such Content-Range"},
	{path: "/nothing", fields: `Range: bytes=0-4`, want: "404"},

	// Sections 14.2 and 14.6: several.
	{fields: `Range: bytes=0-4,10-14`, want: "206 0-4/1000 10-14/1000"},
	{fields: `Range: bytes=0-4, 10-14, -5`, want: "206 0-4/1000 10-14/1000 995-999/1000"},
	{fields: `Range: bytes=10-14,0-4`, want: "206 10-14/1000 0-4/1000"},
	{fields: `Range: bytes=0-4,2-8`, want: "206 0-4/1000 2-8/1000"},
	{fields: `Range: bytes=0-4,,10-14`, want: "206 0-4/1000 10-14/1000", clause: "5.6.1.2"},
	{fields: `Range: bytes=0-4,5000-`, want: "206 0-4/1000"},
	{fields: `Range: bytes=5000-,6000-`, want: "416 */1000"},
	{fields: `Range: bytes=0-4,5-2`, want: "416 */1000", clause: "14.2: may be refused"},
	{fields: `Range: bytes=0-4,x`, want: "416 */1000"},
	{fields: `Range: bytes=0-,0-`, want: "200 whole"},
	{fields: `Range: bytes=0-999,0-0`, want: "200 whole"},
	{fields: `Range: bytes=0-499,500-999`, want: "206 0-499/1000 500-999/1000"},
	{method: "HEAD", fields: `Range: bytes=0-4,10-14`, want: "206"},
}

func fileContent() []byte {
	p := make([]byte, 1000)
	for i := range p {
		p[i] = byte('a' + i%26)
	}
	return p
}

// answerOf makes the request of a ruling, and describes the answer as rulings do. Its
// body must be what its head says.
func (r ruling) answerOf(t *testing.T, addr string) string {
	t.Helper()
	method, path := r.method, r.path
	if method == "" {
		method = "GET"
	}
	if path == "" {
		path = "/file"
	}
	modified := longAgo.Truncate(time.Second)
	plain := exchange(t, addr, "HEAD", path, "")
	fields := strings.NewReplacer(
		"{tag}", plain.Header.Get("Etag"),
		"{date}", modified.Format(http.TimeFormat),
		"{before}", modified.Add(-time.Hour).Format(http.TimeFormat),
		"{after}", modified.Add(time.Hour).Format(http.TimeFormat),
		"{rfc850}", modified.Format("Monday, 02-Jan-06 15:04:05 GMT"),
		"{asctime}", modified.Format(time.ANSIC),
	).Replace(r.fields)
	res := exchange(t, addr, method, path, fields)
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: %v", addr, err)
	}
	answer := fmt.Sprint(res.StatusCode)
	switch res.StatusCode {
	case 200:
		want := fileContent()
		if path == "/empty" {
			want = nil
		}
		if method == "GET" && !bytes.Equal(body, want) {
			t.Errorf("%s: 200 with %d bytes", addr, len(body))
		}
		return answer + " whole"
	case 206:
		return strings.TrimSpace(answer + " " + partsOf(t, res, method, body))
	case 416:
		return strings.TrimSpace(answer + " " + strings.TrimPrefix(res.Header.Get("Content-Range"), "bytes "))
	}
	return answer
}

// partsOf returns the ranges of a partial response, whose bytes must be right.
func partsOf(t *testing.T, res *http.Response, method string, body []byte) string {
	t.Helper()
	check := func(contentRange string, p []byte) string {
		var first, last, size int
		if n, _ := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &size); n != 3 || last < first {
			return contentRange + " is malformed"
		}
		if method == "GET" && !bytes.Equal(p, fileContent()[first:last+1]) {
			t.Errorf("%s is %q", contentRange, p)
		}
		return strings.TrimPrefix(contentRange, "bytes ")
	}
	mediaType, params, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if mediaType != "multipart/byteranges" {
		return check(res.Header.Get("Content-Range"), body)
	}
	if method == "HEAD" {
		return ""
	}
	var all []string
	for parts := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Fatalf("multipart: %v in %q", err, body)
		}
		p, _ := io.ReadAll(part)
		all = append(all, check(part.Header.Get("Content-Range"), p))
	}
}

// exchange makes a request with just these fields.
func exchange(t *testing.T, addr, method, path, fields string) *http.Response {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, longtest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(longtest.Patience))
	request := method + " " + path + " HTTP/1.1\nHost: x\nConnection: close\n"
	if fields != "" {
		request += fields + "\n"
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request+"\n", "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s %q: %v", method, path, fields, err)
	}
	return res
}

// TestRulings holds the answers to RFC 9110's: those of nginx and of net/http where the
// two agree, and the RFC's where they do not.
func TestRulings(t *testing.T) {
	dir := folder(t, map[string]string{"file": string(fileContent()), "empty": ""})
	peers := []string{serveContent(t, dir)}
	if nginx, ok := startNginx(t, dir); ok {
		peers = append(peers, nginx)
	}
	handler := func(t *testing.T) asgi.Handler { return open(t, static.Config{Dir: dir}) }
	t.Run("small", func(t *testing.T) {
		enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
			checkRulings(t, s.Addr, peers)
		})
	})
	handler = func(t *testing.T) asgi.Handler { return open(t, static.Config{Dir: dir, MaxFileBytes: -1}) }
	t.Run("from the open file", func(t *testing.T) {
		enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
			checkRulings(t, s.Addr, nil)
		})
	})
}

func checkRulings(t *testing.T, addr string, peers []string) {
	for _, r := range rulings {
		t.Run(strings.TrimSpace(r.method+r.path+" "+r.fields), func(t *testing.T) {
			if got := r.answerOf(t, addr); got != r.want {
				t.Errorf("the answer is %q, want %q", got, r.want)
			}
			if len(peers) < 2 {
				return
			}
			a, b := r.answerOf(t, peers[0]), r.answerOf(t, peers[1])
			if a == "416" { // net/http leaves out what section 15.5.17 has a server add
				a = "416 */1000"
			}
			switch {
			case a == b && a != r.want:
				t.Errorf("net/http and nginx answer %q", a)
			case a != b && r.clause == "":
				t.Errorf("net/http answers %q, nginx %q: no clause of RFC 9110 decides", a, b)
			case a == b && r.clause != "":
				t.Errorf("net/http and nginx agree: there is nothing for a clause to decide")
			}
		})
	}
}

// serveContent serves the files with net/http, with entity tags.
func serveContent(t *testing.T, dir string) (addr string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, err := os.Open(filepath.Join(dir, filepath.Base(r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer file.Close()
		w.Header().Set("Etag", `"tag"`)
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", longAgo, file)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// startNginx serves a folder with nginx until the test is over. It is skipped, loudly,
// where there is none.
func startNginx(t *testing.T, dir string) (addr string, ok bool) {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		fmt.Println("SKIPPED: no comparison with nginx, which is not installed")
		return "", false
	}
	own := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = listener.Addr().String()
	listener.Close()
	config := fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events {}
http {
	access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	server { listen %[2]s; root %[3]s; }
}`, own, addr, dir)
	if err := os.WriteFile(own+"/conf", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-p", own, "-c", own+"/conf", "-e", "stderr")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for deadline := time.Now().Add(longtest.Patience); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return addr, true
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not listen: %v\n%s", err, log.String())
		}
		time.Sleep(5 * time.Millisecond) // between looks: nginx tells nobody
	}
}
