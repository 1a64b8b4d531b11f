"""The grpcio client of clients_test.py. Reads commands from standard input;
clients_test.py describes them. Treats messages as bytes.

client.py ADDRESS [CA [CERTIFICATE KEY]]
"""

import concurrent.futures
import pathlib
import sys

import grpc


def open_channel(address, *files):
    if not files:
        return grpc.insecure_channel(address)
    ca, certificate, key = [pathlib.Path(path).read_bytes() for path in files
                            ] + [None] * (3 - len(files))
    return grpc.secure_channel(
        address, grpc.ssl_channel_credentials(ca, key, certificate))


def failure(error):
    return f"{error.code().name}:{error.details().encode().hex()}"


def message_of(word):
    """Reads HEX or HEX*TIMES."""
    digits, _, times = word.partition("*")
    return bytes.fromhex(digits) * int(times or 1)


def metadata_of(words):
    """Reads KEY=VALUE, with a value in hex for a key that ends in -bin."""
    pairs = [word.split("=", 1) for word in words]
    return [(key, bytes.fromhex(value) if key.endswith("-bin") else value)
            for key, value in pairs]


def call(channel, path, message, count, width, timeout_ms, encoding, *pairs):
    ask = channel.unary_unary(path)
    compression = {"identity": grpc.Compression.NoCompression,
                   "gzip": grpc.Compression.Gzip}[encoding]
    message, pairs = message_of(message), metadata_of(pairs)

    def one(_):
        try:
            return "OK:" + ask(message, timeout=int(timeout_ms) / 1000,
                               metadata=pairs, compression=compression).hex()
        except grpc.RpcError as error:
            return failure(error)

    with concurrent.futures.ThreadPoolExecutor(int(width)) as pool:
        return list(pool.map(one, range(int(count))))


def read(channel, path, message, messages, timeout_ms):
    stream = channel.unary_stream(path)(message_of(message),
                                        timeout=int(timeout_ms) / 1000)
    answers = []
    try:
        for answer in stream:
            answers.append("OK:" + answer.hex())
            if len(answers) == int(messages):
                stream.cancel()
    except grpc.RpcError as error:
        answers.append(failure(error))
    return answers


def main():
    channel = open_channel(*sys.argv[1:])
    commands = {"call": call, "read": read}
    started = []
    with concurrent.futures.ThreadPoolExecutor() as background:
        for line in sys.stdin:
            verb, *words = line.split()
            if verb == "start":
                started.append(background.submit(commands[words[0]], channel,
                                                 *words[1:]))
                continue
            answers = (started.pop(0).result() if verb == "finish"
                       else commands[verb](channel, *words))
            print(*answers, flush=True)
    channel.close()


if __name__ == "__main__":
    main()
