package servertest

import (
	"crypto/tls"
	"encoding/binary"
)

const (
	applicationData = 23     // the type of a TLS record
	gcmOverhead     = 8 + 16 // in a TLS 1.2 record: the explicit nonce and the tag
)

// countable makes a TLS client whose server's records tell how much plaintext is in
// them: in TLS 1.2 handshake and alerts have types of their own, and AES-GCM adds the same
// number of bytes to each record.
func countable(nextProtocol string) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true,
		NextProtos:         []string{nextProtocol},
		MaxVersion:         tls.VersionTLS12,
		CipherSuites:       []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	}
}

// records follows a stream of TLS 1.2 records with AES-GCM.
type records struct {
	header []byte // of the present record, as far as it has come
	left   int    // of the present record's content
}

// plaintext is how many bytes of application data are in the records that end in p,
// which continues the stream.
func (r *records) plaintext(p []byte) (n int64) {
	for len(p) > 0 {
		if missing := 5 - len(r.header); missing > 0 {
			some := min(missing, len(p))
			r.header = append(r.header, p[:some]...)
			p = p[some:]
			if some < missing {
				return n
			}
			r.left = r.length()
		}
		some := min(r.left, len(p))
		r.left -= some
		p = p[some:]
		if r.left == 0 {
			if r.header[0] == applicationData {
				n += int64(r.length() - gcmOverhead)
			}
			r.header = r.header[:0]
		}
	}
	return n
}

func (r *records) length() int { return int(binary.BigEndian.Uint16(r.header[3:5])) }
