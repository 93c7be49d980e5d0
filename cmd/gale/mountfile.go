package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/static"
)

// mountTable is one [[mount]] of a config file: what is served under a path beside
// the hub. It has one of Static, CGI and Program.
type mountTable struct {
	Path    string `toml:"path"`
	Static  string `toml:"static"`
	CGI     string `toml:"cgi"`
	Program string `toml:"program"`

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
	}{{"static", t.Static, kindStatic}, {"cgi", t.CGI, kindCGI}, {"program", t.Program, kindProgram}} {
		switch {
		case way.value == "":
		case key != "":
			return one, f.wrong(at, fmt.Errorf("it has %s and %s; a mount is one of them", key, way.key))
		default:
			key, folder, one.is = way.key, f.near(way.value), way.is
		}
	}
	if key == "" {
		return one, f.wrong(at, errors.New("it has neither static nor cgi nor program: there is nothing to serve"))
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return one, f.wrong(at+"."+key, err)
	}
	if stray := t.stray(one.is); stray != "" {
		return one, f.wrong(at+"."+stray, fmt.Errorf("it does not go with %s", key))
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
	files := map[string]bool{
		"index": t.Index != "", "listing": t.Listing, "dot-files": t.DotFiles, "not-found": t.NotFound != "", "fallback": t.Fallback != "",
		"cache-control": t.CacheControl != "", "cache": t.Cache != nil, "headers": t.Headers != nil,
	}
	programs := map[string]bool{
		"processes": t.Processes != 0, "timeout": t.Timeout != "", "first-byte-timeout": t.FirstByte != "", "max-body": t.MaxBody != "",
		"env": t.Env != nil, "pass-env": t.PassEnv != nil, "pass-authorization": t.Authorization,
		"memory": t.Memory != "", "cpu-seconds": t.CPUSeconds != 0, "open-files": t.OpenFiles != 0,
	}
	others := files
	if is == kindStatic {
		others = programs
	}
	stray := ""
	for key, given := range others {
		if given && (stray == "" || key < stray) {
			stray = key
		}
	}
	return stray
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
