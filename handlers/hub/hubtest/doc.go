// Package hubtest tests brokers of package hub, and has what tests of transports
// need: loops that run when they are told to, outlets that note what they get, and
// a broker that answers late.
//
//	func TestBroker(t *testing.T) {
//		hubtest.TestBroker(t, func(t *testing.T, s hubtest.Setup) hub.Broker {
//			return mybroker.New(s.Options, s.MaxChannels, s.Now)
//		})
//	}
//
// # Concurrency
//
// Each type says what it is safe for. Nothing here sleeps: what does not come
// within ten seconds is an error.
package hubtest
