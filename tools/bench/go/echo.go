// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

func echo(b *bench) error {
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", b.arg[0]))
	if err != nil {
		return err
	}
	if b.arg[0] == 0 {
		fmt.Fprintln(os.Stderr, ln.Addr())
	}
	var open, requests, conns int64
	var c0 int64
	for {
		conn, err := ln.Accept()
		if err != nil {
			break
		}
		if c0 == 0 {
			c0 = cpu()
		}
		conns++
		atomic.AddInt64(&open, 1)
		go func() {
			buf := make([]byte, 4096)
			var n int64
			for {
				got, err := conn.Read(buf)
				if err != nil {
					break
				}
				if _, err = conn.Write(buf[:got]); err != nil {
					break
				}
				n++
			}
			conn.Close()
			atomic.AddInt64(&requests, n)
			if atomic.AddInt64(&open, -1) == 0 {
				ln.Close()
			}
		}()
	}
	b.value = float64(cpu()-c0) / 1e3 / float64(requests)
	b.add("conns=%d requests=%d", conns, requests)
	return nil
}
