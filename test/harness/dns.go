package harness

import (
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS answers for one name, as the cluster's DNS does for a headless Service: with an address for
// each replica. KEDA's gRPC client asks it when it is part of the target: dns://ADDRESS/NAME:PORT.
type DNS struct {
	conn      net.PacketConn
	name      string
	addresses func() []net.IP
}

// ServeDNS listens on a free port of 127.0.0.1, until Close. addresses are those to answer with.
func ServeDNS(name string, addresses func() []net.IP) (*DNS, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &DNS{conn: conn, name: strings.TrimSuffix(name, ".") + ".", addresses: addresses}
	go d.run()
	return d, nil
}

// Address of the server.
func (d *DNS) Address() string { return d.conn.LocalAddr().String() }

// Close ends the server.
func (d *DNS) Close() { _ = d.conn.Close() }

func (d *DNS) run() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := d.conn.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		var query dnsmessage.Message
		if query.Unpack(buffer[:n]) != nil || len(query.Questions) != 1 {
			continue
		}
		if answer, err := d.answer(query); err == nil {
			_, _ = d.conn.WriteTo(answer, from)
		}
	}
}

func (d *DNS) answer(query dnsmessage.Message) ([]byte, error) {
	question := query.Questions[0]
	answer := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: query.ID, Response: true, Authoritative: true, RecursionAvailable: true,
			RecursionDesired: query.RecursionDesired,
		},
		Questions: query.Questions,
	}
	if !strings.EqualFold(question.Name.String(), d.name) {
		answer.RCode = dnsmessage.RCodeNameError
	} else if question.Type == dnsmessage.TypeA {
		for _, ip := range d.addresses() {
			answer.Answers = append(answer.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte(ip.To4())},
			})
		}
	}
	return answer.Pack()
}
