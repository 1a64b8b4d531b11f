// The server of configuration of xds_test.py: go-control-plane with its snapshot
// cache, used as Envoy Gateway uses it.
//
// main ADDRESS [CA CERTIFICATE KEY]: prints its port, then a line for each
// request. Commands on standard input, one in a line:
//
//	set VERSION JSON   the resources of a snapshot: an array of RateLimitConfig
//	empty              a snapshot without resources, and so without a version
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	config "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protojson"
)

const maxLineBytes = 64 << 20

// The nodes of Envoy Gateway and of Envoy AI Gateway. All have one snapshot.
var nodes = []string{"envoy-ratelimit", "envoy-ai-gateway-ratelimit"}

// The field quota_mode = true of a descriptor. The release of go-control-plane
// does not know it yet.
var quotaMode = []byte{7 << 3, 1}

type markedDescriptor struct {
	QuotaMode   bool
	Descriptors []markedDescriptor
}

func mark(descriptors []*config.RateLimitDescriptor, marks []markedDescriptor) {
	for i, descriptor := range descriptors {
		if marks[i].QuotaMode {
			descriptor.ProtoReflect().SetUnknown(quotaMode)
		}
		mark(descriptor.GetDescriptors(), marks[i].Descriptors)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func options(files []string) []grpc.ServerOption {
	if len(files) == 0 {
		return nil
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(must(os.ReadFile(files[0]))) {
		must(0, errors.New("no certificate in "+files[0]))
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{must(tls.LoadX509KeyPair(files[1], files[2]))},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authorities,
	}))}
}

func resources(text string) map[resource.Type][]types.Resource {
	var messages []json.RawMessage
	must(0, json.Unmarshal([]byte(text), &messages))
	list := make([]types.Resource, 0, len(messages))
	for _, message := range messages {
		read := &config.RateLimitConfig{}
		must(0, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(message, read))
		marks := markedDescriptor{}
		must(0, json.Unmarshal(message, &marks))
		mark(read.GetDescriptors(), marks.Descriptors)
		list = append(list, read)
	}
	return map[resource.Type][]types.Resource{resource.RateLimitConfigType: list}
}

func show(version, nonce, refusal string) {
	fmt.Printf("request\t%s\t%s\t%s\n", version, nonce, refusal)
}

func main() {
	snapshots := cache.NewSnapshotCache(false, cache.IDHash{}, nil)
	callbacks := server.CallbackFuncs{
		StreamRequestFunc: func(_ int64, request *discovery.DiscoveryRequest) error {
			show(request.GetVersionInfo(), request.GetResponseNonce(),
				request.GetErrorDetail().GetMessage())
			return nil
		},
		StreamDeltaRequestFunc: func(_ int64, request *discovery.DeltaDiscoveryRequest) error {
			show(fmt.Sprint(len(request.GetInitialResourceVersions())),
				request.GetResponseNonce(), request.GetErrorDetail().GetMessage())
			return nil
		},
	}
	listener := must(net.Listen("tcp", os.Args[1]))
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	grpcServer := grpc.NewServer(options(os.Args[2:])...)
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer,
		server.NewServer(context.Background(), snapshots, callbacks))
	go func() { must(0, grpcServer.Serve(listener)) }()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		words := strings.SplitN(lines.Text(), " ", 3)
		version, content := "", map[resource.Type][]types.Resource{}
		if words[0] == "set" {
			version, content = words[1], resources(words[2])
		}
		for _, node := range nodes {
			must(0, snapshots.SetSnapshot(context.Background(), node,
				must(cache.NewSnapshot(version, content))))
		}
	}
}
