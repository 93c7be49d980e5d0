package longpoll

// Sessions returns how many sessions are known.
func (h *Handler) Sessions() int {
	h.sessions.mu.Lock()
	defer h.sessions.mu.Unlock()
	return len(h.sessions.polls)
}
