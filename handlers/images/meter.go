package images

import "context"

// meter is how a step says how far it is: it hears of an end of the context every
// few rows, and tells of progress.
type meter struct {
	ctx      context.Context
	progress func(percent int)
	from, to int // percent that the step covers
	told     int
}

// step begins the next step, which ends at the given percent.
func (m *meter) step(to int) {
	m.from, m.to = m.to, to
}

// row says that n of total are done.
func (m *meter) row(n, total int) error {
	if err := m.ctx.Err(); err != nil {
		return context.Cause(m.ctx)
	}
	percent := m.from
	if total > 0 {
		percent += int(int64(m.to-m.from) * int64(n) / int64(total))
	}
	if percent > m.told {
		m.told = percent
		if m.progress != nil {
			m.progress(percent)
		}
	}
	return nil
}
