package hub_test

import (
	"net/http"
	"testing"
)

// A request for the WebSocket that does not ask for the upgrade is told to, on both
// engines.
func TestUpgradeRequired(t *testing.T) {
	onMisuse(t, func(m *misuse) {
		r, err := m.Client.Get("http://" + m.Addr + "/hub/ws")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusUpgradeRequired || r.Header.Get("Upgrade") != "websocket" ||
			r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Sec-Websocket-Version") != "13" {
			t.Errorf("%s %v", r.Status, r.Header)
		}
	})
}
