// The client of clients_test.py in grpc-go: does what its standard input tells,
// as that file says. Messages are bytes to it.
//
// main ADDRESS [CA [CERTIFICATE KEY]]
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const maxLineBytes = 1 << 20

// bytesCodec takes messages as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (bytesCodec) Name() string { return "proto" }

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func credentialsOf(files []string) credentials.TransportCredentials {
	if len(files) == 0 {
		return insecure.NewCredentials()
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(must(os.ReadFile(files[0])))
	if len(files) > 1 {
		config.Certificates = []tls.Certificate{
			must(tls.LoadX509KeyPair(files[1], files[2]))}
	}
	return credentials.NewTLS(config)
}

// codeNames are those of the specification, which Go writes otherwise.
var codeNames = map[codes.Code]string{
	codes.OK: "OK", codes.Canceled: "CANCELLED",
	codes.DeadlineExceeded:  "DEADLINE_EXCEEDED",
	codes.NotFound:          "NOT_FOUND",
	codes.InvalidArgument:   "INVALID_ARGUMENT",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.Unimplemented:     "UNIMPLEMENTED", codes.Internal: "INTERNAL",
	codes.Unavailable: "UNAVAILABLE",
}

// outcome is one word of an answer: what came, or why nothing did.
func outcome(message []byte, err error) string {
	if err == nil {
		return "OK:" + hex.EncodeToString(message)
	}
	found, _ := status.FromError(err)
	name, known := codeNames[found.Code()]
	if !known {
		name = found.Code().String()
	}
	return name + ":" + hex.EncodeToString([]byte(found.Message()))
}

// messageOf reads HEX or HEX*TIMES.
func messageOf(word string) []byte {
	digits, times, repeated := strings.Cut(word, "*")
	message := must(hex.DecodeString(digits))
	if !repeated {
		return message
	}
	return []byte(strings.Repeat(string(message), must(strconv.Atoi(times))))
}

func timeoutOf(word string) time.Duration {
	return time.Duration(must(strconv.Atoi(word))) * time.Millisecond
}

// metadataOf reads KEY=VALUE, with a value in hex for a key that ends in -bin.
func metadataOf(words []string) metadata.MD {
	pairs := metadata.MD{}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if strings.HasSuffix(key, "-bin") {
			value = string(must(hex.DecodeString(value)))
		}
		pairs.Append(key, value)
	}
	return pairs
}

func call(conn *grpc.ClientConn, words []string) string {
	message := messageOf(words[1])
	count, width := must(strconv.Atoi(words[2])), must(strconv.Atoi(words[3]))
	timeout := timeoutOf(words[4])
	pairs := metadataOf(words[6:])
	options := []grpc.CallOption{grpc.ForceCodec(bytesCodec{})}
	if words[5] != "identity" {
		options = append(options, grpc.UseCompressor(words[5]))
	}
	outcomes := make([]string, count)
	next := make(chan int)
	var callers sync.WaitGroup
	for i := 0; i < width; i++ {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for i := range next {
				ctx, cancel := context.WithTimeout(
					metadata.NewOutgoingContext(context.Background(), pairs),
					timeout)
				var answer []byte
				err := conn.Invoke(ctx, words[0], &message, &answer, options...)
				outcomes[i] = outcome(answer, err)
				cancel()
			}
		}()
	}
	for i := 0; i < count; i++ {
		next <- i
	}
	close(next)
	callers.Wait()
	return strings.Join(outcomes, " ")
}

func read(conn *grpc.ClientConn, words []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), timeoutOf(words[3]))
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true},
		words[0], grpc.ForceCodec(bytesCodec{}))
	if err != nil {
		return outcome(nil, err)
	}
	message := messageOf(words[1])
	// An error of these is told by the answer.
	_ = stream.SendMsg(&message)
	_ = stream.CloseSend()
	wanted := must(strconv.Atoi(words[2]))
	var outcomes []string
	for {
		if len(outcomes) == wanted {
			cancel()
		}
		var answer []byte
		err := stream.RecvMsg(&answer)
		outcomes = append(outcomes, outcome(answer, err))
		if err != nil {
			return strings.Join(outcomes, " ")
		}
	}
}

func do(conn *grpc.ClientConn, words []string) string {
	if words[0] == "read" {
		return read(conn, words[1:])
	}
	return call(conn, words[1:])
}

func main() {
	conn := must(grpc.NewClient(os.Args[1],
		grpc.WithTransportCredentials(credentialsOf(os.Args[2:]))))
	var started []chan string
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		words := strings.Split(lines.Text(), " ")
		switch words[0] {
		case "start":
			answer := make(chan string, 1)
			started = append(started, answer)
			go func() { answer <- do(conn, words[1:]) }()
		case "finish":
			fmt.Println(<-started[0])
			started = started[1:]
		default:
			fmt.Println(do(conn, words))
		}
	}
}
