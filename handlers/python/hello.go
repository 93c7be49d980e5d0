package python

// window is how many bytes of a body each direction of a stream may have on its way.
const window = 256 << 10

// hello is what a worker is told in its greeting: PROTOCOL.md says what each key means.
func (p *pool) hello() (config map[string]any, sources map[string]string) {
	c := p.config
	return map[string]any{
		"app":           c.App,
		"mode":          c.Mode,
		"factory":       c.Factory,
		"path":          append([]string{c.Dir}, c.Path...),
		"threads":       c.Threads,
		"loop":          c.Loop,
		"lifespan":      c.Lifespan,
		"window":        window,
		"multiprocess":  c.Workers > 1,
		"root_path":     c.RootPath,
		"extensions":    p.extensions,
		"block_seconds": seconds(c.BlockedAfter),
		"log_level":     c.LogLevel,
	}, p.sources
}
