package python

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
		"window":        windowBytes,
		"multiprocess":  c.Workers > 1,
		"root_path":     c.RootPath,
		"extensions":    p.extensions,
		"block_seconds": seconds(c.BlockedAfter),
		"log_level":     c.LogLevel,
		"sendfile":      c.SendFile,
	}, p.sources
}
