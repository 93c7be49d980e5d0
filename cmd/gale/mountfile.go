package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/python"
	"github.com/gale-server/gale/handlers/static"
)

// mountTable is one [[mount]] of a config file: what is served under a path beside
// the hub. It has one of Static, CGI, Program and Python.
type mountTable struct {
	Path    string `toml:"path"`
	Static  string `toml:"static"`
	CGI     string `toml:"cgi"`
	Program string `toml:"program"`
	Python  string `toml:"python"`

	// Of files.
	Index        string       `toml:"index"`
	Listing      bool         `toml:"listing"`
	DotFiles     bool         `toml:"dot-files"`
	NotFound     string       `toml:"not-found"`
	Fallback     string       `toml:"fallback"`
	CacheControl string       `toml:"cache-control"`
	Cache        []cacheTable `toml:"cache"`
	Headers      []string     `toml:"headers"`

	// Of programs.
	Processes     int      `toml:"processes"`
	Timeout       string   `toml:"timeout"`
	FirstByte     string   `toml:"first-byte-timeout"`
	MaxBody       string   `toml:"max-body"`
	Env           []string `toml:"env"`
	PassEnv       []string `toml:"pass-env"`
	Authorization bool     `toml:"pass-authorization"`
	Memory        string   `toml:"memory"`
	CPUSeconds    int64    `toml:"cpu-seconds"`
	OpenFiles     int64    `toml:"open-files"`

	// Of applications of Python; timeout, max-body, env, memory and open-files, too.
	Dir         string `toml:"dir"`
	Interpreter string `toml:"interpreter"`
	Mode        string `toml:"mode"`
	Factory     bool   `toml:"factory"`
	Loop        string `toml:"loop"`
	Lifespan    string `toml:"lifespan"`
	Workers     int    `toml:"workers"`
	Threads     int    `toml:"threads"`
	MaxRequests int64  `toml:"max-requests"`
}

// cacheTable says how long files whose names fit a pattern may be kept.
type cacheTable struct {
	Pattern      string `toml:"pattern"`
	CacheControl string `toml:"cache-control"`
}

// mounts makes the mounts of a file. taken are the paths that the server has itself.
func (f *hubFile) mounts(taken ...string) (list []mount, err error) {
	for i, t := range f.Mounts {
		at := fmt.Sprintf("mount[%d]", i)
		one, err := t.mount(f, at)
		if err != nil {
			return nil, err
		}
		isSame := func(other mount) bool { return other.path == one.path }
		if slices.ContainsFunc(list, isSame) || slices.Contains(taken, one.path) {
			return nil, f.wrong(at+".path", fmt.Errorf("%q is taken", t.Path))
		}
		list = append(list, one)
	}
	return list, nil
}

func (t *mountTable) mount(f *hubFile, at string) (one mount, err error) {
	if t.Path != "/" {
		if one.path, err = parseMount(t.Path); err != nil {
			return one, f.wrong(at+".path", err)
		}
	}
	key, folder := "", ""
	for _, way := range []struct {
		key, value string
		is         kind
	}{{"static", t.Static, kindStatic}, {"cgi", t.CGI, kindCGI}, {"program", t.Program, kindProgram}, {"python", t.Python, kindPython}} {
		switch {
		case way.value == "":
		case key != "":
			return one, f.wrong(at, fmt.Errorf("it has %s and %s; a mount is one of them", key, way.key))
		default:
			key, folder, one.is = way.key, f.near(way.value), way.is
		}
	}
	if key == "" {
		return one, f.wrong(at, errors.New("it has neither static nor cgi nor program nor python: there is nothing to serve"))
	}
	if stray := t.stray(one.is); stray != "" {
		return one, f.wrong(at+"."+stray, fmt.Errorf("it does not go with %s", key))
	}
	if one.is == kindPython {
		one.python, err = t.application(f, at)
		return one, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return one, f.wrong(at+"."+key, err)
	}
	if one.is == kindStatic {
		one.static, err = t.files(f, at, folder)
		return one, err
	}
	if one.cgi, err = t.programs(f, at); err != nil {
		return one, err
	}
	if one.processes = t.Processes; one.processes == 0 {
		one.processes = defaultProcesses
	}
	if one.processes < 0 {
		return one, f.wrong(at+".processes", errors.New("a limit is not negative"))
	}
	if one.is == kindCGI {
		one.cgi.Dir = folder
	} else {
		one.cgi.Script = folder
	}
	return one, nil
}

// stray is the key of a setting that means nothing to what is mounted.
func (t *mountTable) stray(is kind) string {
	files, programs, apps := []kind{kindStatic}, []kind{kindCGI, kindProgram}, []kind{kindPython}
	work := append(programs, kindPython)
	for _, setting := range []struct {
		key   string
		given bool
		fits  []kind
	}{
		{"cache", t.Cache != nil, files},
		{"cache-control", t.CacheControl != "", files},
		{"cpu-seconds", t.CPUSeconds != 0, programs},
		{"dir", t.Dir != "", apps},
		{"dot-files", t.DotFiles, files},
		{"env", t.Env != nil, work},
		{"factory", t.Factory, apps},
		{"fallback", t.Fallback != "", files},
		{"first-byte-timeout", t.FirstByte != "", programs},
		{"headers", t.Headers != nil, files},
		{"index", t.Index != "", files},
		{"interpreter", t.Interpreter != "", apps},
		{"lifespan", t.Lifespan != "", apps},
		{"listing", t.Listing, files},
		{"loop", t.Loop != "", apps},
		{"max-body", t.MaxBody != "", work},
		{"max-requests", t.MaxRequests != 0, apps},
		{"memory", t.Memory != "", work},
		{"mode", t.Mode != "", apps},
		{"not-found", t.NotFound != "", files},
		{"open-files", t.OpenFiles != 0, work},
		{"pass-authorization", t.Authorization, programs},
		{"pass-env", t.PassEnv != nil, programs},
		{"processes", t.Processes != 0, programs},
		{"threads", t.Threads != 0, apps},
		{"timeout", t.Timeout != "", work},
		{"workers", t.Workers != 0, apps},
	} {
		if setting.given && !slices.Contains(setting.fits, is) {
			return setting.key
		}
	}
	return ""
}

// application is a mount of Python.
func (t *mountTable) application(f *hubFile, at string) (c python.Config, err error) {
	found, ok := findPython(t.Python, f.near(t.Dir))
	if !ok {
		return c, f.wrong(at+".python", fmt.Errorf("%q is no application; write module:attribute", t.Python))
	}
	c = python.Config{
		App: found.app, Dir: found.path, Factory: t.Factory || found.factory, Mode: t.Mode, Loop: t.Loop, Lifespan: t.Lifespan,
		Workers: t.Workers, Threads: t.Threads, MaxRequests: t.MaxRequests, MaxFiles: int(t.OpenFiles), Python: t.Interpreter,
		MaxBodyBytes: defaultBody,
	}
	for key, n := range map[string]int64{"workers": int64(t.Workers), "threads": int64(t.Threads), "max-requests": t.MaxRequests, "open-files": t.OpenFiles} {
		if n < 0 {
			return c, f.wrong(at+"."+key, errors.New("a limit is not negative"))
		}
	}
	if t.Env != nil {
		c.Env = append(os.Environ(), t.Env...)
	}
	for _, pair := range t.Env {
		if name, _, ok := strings.Cut(pair, "="); !ok || name == "" {
			return c, f.wrong(at+".env", fmt.Errorf("%q is no variable; write NAME=value", pair))
		}
	}
	if c.BlockTimeout, err = f.duration(at+".timeout", t.Timeout); err != nil {
		return c, err
	}
	for _, size := range []struct {
		key, text string
		to        *int64
	}{{"memory", t.Memory, &c.MaxResidentBytes}, {"max-body", t.MaxBody, &c.MaxBodyBytes}} {
		if size.text == "" {
			continue
		}
		if *size.to, err = parseBytes(size.text); err != nil {
			return c, f.wrong(at+"."+size.key, err)
		}
	}
	return c, nil
}

func (t *mountTable) files(f *hubFile, at, folder string) (c static.Config, err error) {
	c = static.Config{
		Dir: folder, Index: t.Index, Listing: t.Listing, DotFiles: t.DotFiles,
		NotFound: t.NotFound, Fallback: t.Fallback, CacheControl: t.CacheControl,
	}
	for _, rule := range t.Cache {
		c.Cache = append(c.Cache, static.CacheRule{Pattern: rule.Pattern, CacheControl: rule.CacheControl})
	}
	for _, text := range t.Headers {
		h, err := parseHeader(text)
		if err != nil {
			return c, f.wrong(at+".headers", err)
		}
		c.Headers = append(c.Headers, h)
	}
	return c, nil
}

func (t *mountTable) programs(f *hubFile, at string) (c cgi.Config, err error) {
	c = cgi.Config{Env: t.Env, PassEnv: t.PassEnv, PassAuthorization: t.Authorization, MaxBodyBytes: defaultBody}
	for _, pair := range t.Env {
		if name, _, ok := strings.Cut(pair, "="); !ok || name == "" {
			return c, f.wrong(at+".env", fmt.Errorf("%q is no variable; write NAME=value", pair))
		}
	}
	if c.Timeout, err = f.duration(at+".timeout", t.Timeout); err != nil {
		return c, err
	}
	if c.HeaderTimeout, err = f.duration(at+".first-byte-timeout", t.FirstByte); err != nil {
		return c, err
	}
	if t.Memory != "" {
		if c.Limits.MemoryBytes, err = parseBytes(t.Memory); err != nil {
			return c, f.wrong(at+".memory", err)
		}
	}
	c.Limits.CPUSeconds, c.Limits.Files = t.CPUSeconds, t.OpenFiles
	for key, n := range map[string]int64{"cpu-seconds": t.CPUSeconds, "open-files": t.OpenFiles} {
		if n < 0 {
			return c, f.wrong(at+"."+key, errors.New("a limit is not negative"))
		}
	}
	if t.MaxBody != "" {
		if c.MaxBodyBytes, err = parseBytes(t.MaxBody); err != nil {
			return c, f.wrong(at+".max-body", err)
		}
	}
	return c, nil
}
