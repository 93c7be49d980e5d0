package static_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/static"
)

func TestListing(t *testing.T) {
	files := map[string]string{
		"b.txt": "12345", "a.txt": "", "sub/x": "", "Z/x": "", ".hidden": "", ".git/config": "", "with/index.html": "indexed",
		`<img src=x onerror=alert(1)>`: "", `a"b'c&d`: "", "javascript:alert(1)": "", "späße": "", "a b#c?d%20": "", "line\nbreak": "",
		"\xff\xfe": "not UTF-8",
	}
	dir := folder(t, files)
	h := open(t, static.Config{Dir: dir, Listing: true})
	r := get(t, h, "/")
	page := string(r.Body)
	if r.Status != 200 || r.Header("content-type") != "text/html; charset=utf-8" || r.Header("vary") != "accept" ||
		!strings.HasPrefix(r.Header("content-security-policy"), "default-src 'none'") || r.Header("x-content-type-options") != "nosniff" {
		t.Fatalf("%d %v", r.Status, r.Headers)
	}
	for _, part := range []string{
		`<a href="./a.txt">a.txt</a>`, `<a href="./sub/">sub/</a>`, `<td align="right">5`,
		`<a href="./%3Cimg%20src=x%20onerror=alert%281%29%3E">&lt;img src=x onerror=alert(1)&gt;</a>`,
		`<a href="./a%22b%27c&amp;d">a&#34;b&#39;c&amp;d</a>`, `<a href="./javascript:alert%281%29">javascript:alert(1)</a>`,
		`<a href="./sp%C3%A4%C3%9Fe">späße</a>`, `<a href="./a%20b%23c%3Fd%2520">a b#c?d%20</a>`, `<a href="./line%0Abreak">`,
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %s:\n%s", part, page)
		}
	}
	for _, part := range []string{".hidden", ".git", "\xff", "../", "<img", "javascript:alert(1)\""} {
		if strings.Contains(page, part) {
			t.Errorf("the page has %s:\n%s", part, page)
		}
	}
	if strings.Index(page, ">sub/<") > strings.Index(page, ">a.txt<") || strings.Index(page, ">a.txt<") > strings.Index(page, ">b.txt<") {
		t.Errorf("the page is not in order:\n%s", page)
	}
	var names struct {
		Entries []struct {
			Name, Type string
			Size       int64
			Modified   time.Time
		}
		Truncated bool
	}
	r = get(t, h, "/", "accept: application/json")
	if err := json.Unmarshal(r.Body, &names); err != nil || r.Header("content-type") != "application/json" || r.Header("vary") != "accept" {
		t.Fatalf("%v %v", err, r.Headers)
	}
	if len(names.Entries) != len(files)-3 || names.Truncated || names.Entries[0].Name != "Z" || names.Entries[0].Type != "directory" {
		t.Errorf("%d entries: %+v", len(names.Entries), names)
	}
	for _, e := range names.Entries {
		if e.Name == "b.txt" && (e.Size != 5 || e.Type != "file" || !e.Modified.Equal(longAgo.Truncate(time.Second))) {
			t.Errorf("%+v", e)
		}
		scope := asgitest.HTTPScope("GET", "/")
		scope.Path = "/" + e.Name
		if r := asgitest.Do(t, h, scope, nil); r.Status != map[string]int{"file": 200, "directory": 301}[e.Type] {
			t.Errorf("%q is listed: %d", e.Name, r.Status)
		}
	}
	for accept, json := range map[string]bool{
		"": false, "*/*": false, "text/html": false, "application/json": true, "application/json, text/html": false, "text/html;q=0.5, application/json": true,
		"text/html, application/json;q=0.9, */*": false, "application/json, */*;q=0.1": true, "application/json;q=0": false,
	} {
		if r := get(t, h, "/", "accept: "+accept); (r.Header("content-type") == "application/json") != json {
			t.Errorf("accept %q: %s", accept, r.Header("content-type"))
		}
	}
	if r := get(t, h, "/sub/"); !strings.Contains(string(r.Body), `<a href="../">../</a>`) {
		t.Errorf("%s", r.Body)
	}
	if r := get(t, h, "/with/"); string(r.Body) != "indexed" {
		t.Errorf("%s", r.Body)
	}
	if r := get(t, h, "/", "if-none-match: "+get(t, h, "/").Header("etag"), "range: bytes=0-1"); r.Status != 304 {
		t.Errorf("a listing that is known: %d", r.Status)
	}
	if r := get(t, h, "/", "range: bytes=0-1"); r.Status != 200 {
		t.Errorf("a range of a listing: %d", r.Status)
	}
	if r := get(t, open(t, static.Config{Dir: dir, Listing: true, MaxEntries: 3}), "/", "accept: application/json"); json.Unmarshal(r.Body, &names) != nil ||
		len(names.Entries) != 3 || !names.Truncated {
		t.Errorf("%+v", names)
	}
	if r := get(t, open(t, static.Config{Dir: dir, Listing: true, DotFiles: true}), "/"); !strings.Contains(string(r.Body), ".git/") {
		t.Errorf("%s", r.Body)
	}
	if r := get(t, open(t, static.Config{Dir: dir}), "/"); r.Status != 404 {
		t.Errorf("not asked for: %d", r.Status)
	}
}

func TestListingOfAFileSystem(t *testing.T) {
	h := open(t, static.Config{FS: mapFS(site), Listing: true})
	if r := get(t, h, "/bare/"); r.Status != 200 || !strings.Contains(string(r.Body), `./file"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := get(t, h, "/bare"); r.Status != 301 {
		t.Errorf("%d", r.Status)
	}
}
