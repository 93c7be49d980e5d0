package executor

import "context"

// batch gathers, under a class's lock, what is to be done without it.
type batch struct {
	first, last *Future // settled, linked by next
	cancels     []cancellation
	ended       int // tasks
}

type cancellation struct {
	cancel context.CancelCauseFunc
	cause  error
}

func (b *batch) empty() bool { return b.first == nil && b.ended == 0 }

func (b *batch) add(f *Future) {
	if b.last == nil {
		b.first = f
	} else {
		b.last.next = f
	}
	b.last = f
}

func (b *batch) cancel(cancel context.CancelCauseFunc, cause error) {
	b.cancels = append(b.cancels, cancellation{cancel, cause})
}

// deliver does it. A task has ended only when its result has been handed out.
func (b *batch) deliver(c *Class) {
	for _, each := range b.cancels {
		each.cancel(each.cause)
	}
	for f := b.first; f != nil; {
		next := f.next
		f.next = nil
		f.deliver()
		f = next
	}
	for range b.ended {
		c.exec.leave()
	}
}

func (f *Future) deliver() {
	if f.unscope != nil {
		f.unscope()
	}
	if f.release != nil {
		f.release()
	}
	if f.parent != nil {
		f.task.class.exec.nested.remove(f)
	}
	for _, w := range f.wakers {
		w.wake()
	}
	f.unscope, f.wakers = nil, nil
	if f.toTell {
		f.post()
	}
}
