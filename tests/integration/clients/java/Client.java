import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * The client of clients_test.py in grpc-java: does what its standard input
 * tells, as that file says. Messages are bytes to it.
 *
 * Client ADDRESS [CA [CERTIFICATE KEY]]
 */
final class Client {
  private static final MethodDescriptor.Marshaller<byte[]> BYTES =
      new MethodDescriptor.Marshaller<byte[]>() {
        @Override
        public InputStream stream(byte[] message) {
          return new ByteArrayInputStream(message);
        }

        @Override
        public byte[] parse(InputStream message) {
          try {
            return message.readAllBytes();
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        }
      };

  private final Channel channel;
  private final ExecutorService background = Executors.newCachedThreadPool();

  private Client(Channel channel) {
    this.channel = channel;
  }

  private static ChannelCredentials credentialsOf(String[] arguments)
      throws IOException {
    if (arguments.length == 1) return InsecureChannelCredentials.create();
    TlsChannelCredentials.Builder tls =
        TlsChannelCredentials.newBuilder().trustManager(new File(arguments[1]));
    if (arguments.length > 2) {
      tls.keyManager(new File(arguments[2]), new File(arguments[3]));
    }
    return tls.build();
  }

  private static MethodDescriptor<byte[], byte[]> methodOf(
      String path, MethodType type) {
    return MethodDescriptor.newBuilder(BYTES, BYTES)
        .setType(type)
        .setFullMethodName(path.substring(1))
        .build();
  }

  private static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte value : bytes) text.append(String.format("%02x", value));
    return text.toString();
  }

  private static byte[] unhex(String digits) {
    byte[] bytes = new byte[digits.length() / 2];
    for (int i = 0; i < bytes.length; ++i) {
      String pair = digits.substring(2 * i, 2 * i + 2);
      bytes[i] = (byte) Integer.parseInt(pair, 16);
    }
    return bytes;
  }

  /** Reads HEX or HEX*TIMES. */
  private static byte[] messageOf(String word) {
    String[] parts = word.split("\\*");
    byte[] once = unhex(parts[0]);
    int times = parts.length == 1 ? 1 : Integer.parseInt(parts[1]);
    byte[] message = new byte[once.length * times];
    for (int i = 0; i < message.length; ++i) message[i] = once[i % once.length];
    return message;
  }

  /** Reads KEY=VALUE, with a value in hex for a key that ends in -bin. */
  private static Metadata metadataOf(List<String> words) {
    Metadata metadata = new Metadata();
    for (String word : words) {
      String[] pair = word.split("=", 2);
      if (pair[0].endsWith("-bin")) {
        metadata.put(
            Metadata.Key.of(pair[0], Metadata.BINARY_BYTE_MARSHALLER),
            unhex(pair[1]));
      } else {
        metadata.put(
            Metadata.Key.of(pair[0], Metadata.ASCII_STRING_MARSHALLER),
            pair[1]);
      }
    }
    return metadata;
  }

  private static CallOptions optionsOf(String timeoutMs) {
    return CallOptions.DEFAULT.withDeadlineAfter(
        Long.parseLong(timeoutMs), TimeUnit.MILLISECONDS);
  }

  private static String failure(StatusRuntimeException error) {
    String why = error.getStatus().getDescription();
    String text = why == null ? "" : why;
    return error.getStatus().getCode() + ":"
        + hex(text.getBytes(StandardCharsets.UTF_8));
  }

  private String call(List<String> words) throws Exception {
    MethodDescriptor<byte[], byte[]> method =
        methodOf(words.get(0), MethodType.UNARY);
    byte[] message = messageOf(words.get(1));
    Channel asked = ClientInterceptors.intercept(
        channel,
        MetadataUtils.newAttachHeadersInterceptor(
            metadataOf(words.subList(6, words.size()))));
    ExecutorService callers =
        Executors.newFixedThreadPool(Integer.parseInt(words.get(3)));
    List<Future<String>> answers = new ArrayList<>();
    for (int i = Integer.parseInt(words.get(2)); i > 0; --i) {
      answers.add(callers.submit(() -> {
        CallOptions options = optionsOf(words.get(4));
        if (!words.get(5).equals("identity")) {
          options = options.withCompression(words.get(5));
        }
        try {
          return "OK:" + hex(ClientCalls.blockingUnaryCall(
              asked, method, options, message));
        } catch (StatusRuntimeException error) {
          return failure(error);
        }
      }));
    }
    List<String> outcomes = new ArrayList<>();
    for (Future<String> answer : answers) outcomes.add(answer.get());
    callers.shutdown();
    return String.join(" ", outcomes);
  }

  private String read(List<String> words) throws Exception {
    int wanted = Integer.parseInt(words.get(2));
    List<String> outcomes = new ArrayList<>();
    Context.CancellableContext context = Context.current().withCancellation();
    context.run(() -> {
      try {
        Iterator<byte[]> answers = ClientCalls.blockingServerStreamingCall(
            channel, methodOf(words.get(0), MethodType.SERVER_STREAMING),
            optionsOf(words.get(3)), messageOf(words.get(1)));
        while (answers.hasNext()) {
          outcomes.add("OK:" + hex(answers.next()));
          if (outcomes.size() == wanted) context.cancel(null);
        }
      } catch (StatusRuntimeException error) {
        outcomes.add(failure(error));
      }
    });
    context.cancel(null);
    return String.join(" ", outcomes);
  }

  private String perform(List<String> words) throws Exception {
    List<String> rest = words.subList(1, words.size());
    return words.get(0).equals("read") ? read(rest) : call(rest);
  }

  private void serve(BufferedReader lines) throws Exception {
    Queue<Future<String>> started = new ArrayDeque<>();
    for (String line; (line = lines.readLine()) != null;) {
      List<String> words = Arrays.asList(line.split(" "));
      if (words.get(0).equals("start")) {
        started.add(background.submit(
            () -> perform(words.subList(1, words.size()))));
      } else if (words.get(0).equals("finish")) {
        System.out.println(started.remove().get());
      } else {
        System.out.println(perform(words));
      }
    }
    background.shutdown();
  }

  public static void main(String[] arguments) throws Exception {
    ManagedChannel channel =
        Grpc.newChannelBuilder(arguments[0], credentialsOf(arguments)).build();
    new Client(channel).serve(new BufferedReader(
        new InputStreamReader(System.in, StandardCharsets.UTF_8)));
    channel.shutdownNow();
  }
}
