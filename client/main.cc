#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/text.h"
#include "commands.h"

namespace {

struct Arguments {
  std::vector<std::string> files;
  rls::CheckArguments check;
  rls::ImportArguments import;
  rls::DumpArguments dump;
  std::string hits = "1";
  std::string timeout = "1s";
  std::string dump_timeout = "5s";
};

CLI::App* AddValidate(CLI::App& cli, Arguments& arguments) {
  CLI::App* validate =
      cli.add_subcommand("validate-config", "Check configuration files");
  validate->add_option("FILE", arguments.files, "Files or folders")->required();
  return validate;
}

// Refuses an empty value, such as an unset shell variable. Otherwise the client
// would use cleartext.
std::string RefuseEmpty(const std::string& value) {
  return value.empty() ? "expected something, found an empty value" : "";
}

CLI::App* AddImport(CLI::App& cli, Arguments& arguments) {
  CLI::App* import = cli.add_subcommand(
      "import", "Translate the limits of another rate limit service");
  import->require_subcommand(1);
  CLI::App* limitador = import->add_subcommand(
      "limitador",
      "Translate a limits file of limitador into descriptor files, one for "
      "each namespace. Exit status: 0 all limits, 1 not all (see stderr), 2 "
      "nothing");
  limitador->add_option("FILE", arguments.import.file, "The limits file")
      ->required();
  limitador
      ->add_option("--output", arguments.import.folder,
                   "Write NAMESPACE.yaml into this folder; default: stdout")
      ->type_name("FOLDER")
      ->check(RefuseEmpty);
  return limitador;
}

void AddTls(CLI::App& command, rls::TlsArguments& tls) {
  command.add_flag("--tls", tls.on,
                   "Use TLS; each of the --tls-... options implies it");
  const auto add = [&command](const char* name, std::string& value,
                              const char* type, const char* description) {
    command.add_option(name, value, description)
        ->type_name(type)
        ->check(RefuseEmpty);
  };
  add("--tls-ca", tls.files.ca_file, "PEM",
      "The authorities to trust; default: the system's");
  add("--tls-cert", tls.files.certificate_file, "PEM",
      "The client's certificate; needs --tls-key");
  add("--tls-key", tls.files.key_file, "PEM",
      "The private key of the client's certificate");
  add("--tls-server-name", tls.files.server_name, "NAME",
      "The name in the server's certificate; default: the host of --address");
}

CLI::App* AddCheck(CLI::App& cli, Arguments& arguments) {
  CLI::App* check = cli.add_subcommand(
      "check",
      "Get one decision from a server. Exit status: 0 OK, 1 over limit, "
      "2 usage, 3 no answer");
  rls::CheckArguments& request = arguments.check;
  check->add_option("--address", request.address, "The server's address")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  AddTls(*check, request.tls);
  check->add_option("--domain", request.domain, "The domain of the request")
      ->required();
  check
      ->add_option("--descriptor", request.descriptors,
                   "key=value[,key=value]...; may be given several times; "
                   "write a comma in a value as \\,")
      ->type_name("DESCRIPTOR")
      ->allow_extra_args(false)
      ->required();
  check
      ->add_option("--hits", arguments.hits,
                   "Units to charge; 0 only reads the state, a negative number "
                   "gives units back")
      ->type_name("NUMBER")
      ->capture_default_str();
  check
      ->add_option("--timeout", arguments.timeout,
                   "How long to wait for the answer")
      ->type_name("DURATION")
      ->capture_default_str();
  check->add_flag("--json", request.json, "Print the whole answer as JSON");
  return check;
}

CLI::App* AddDump(CLI::App& cli, Arguments& arguments) {
  CLI::App* dump = cli.add_subcommand(
      "dump-config",
      "Print the configuration that a server has, and where it comes from. "
      "Exit status: 0 OK, 2 usage, 3 no answer");
  dump->add_option("--address", arguments.dump.address,
                   "The server's debug port")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  dump->add_option("--timeout", arguments.dump_timeout,
                   "How long to wait for the answer")
      ->type_name("DURATION")
      ->capture_default_str();
  dump->add_flag("--json", arguments.dump.json, "Print JSON");
  return dump;
}

// Returns false, and prints the reason, if `text` is no duration.
bool ReadTimeout(const std::string& text, absl::Duration& timeout) {
  if (absl::ParseDuration(text, &timeout)) return true;
  std::fprintf(stderr,
               "ratelimitctl: --timeout: found %s, expected a duration with "
               "its unit, such as 1s or 500ms\n",
               rls::Quoted(text).c_str());
  return false;
}

// Returns the exit status if the process must end, otherwise -1. CLI11 throws
// exceptions; this function catches them.
int Parse(CLI::App& cli, int argc, char** argv) {
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? rls::kExitOk : rls::kExitUsage;
  }
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App cli("Calls ratelimitd and checks its configuration", "ratelimitctl");
  cli.set_version_flag("--version", "ratelimitctl " RLS_VERSION);
  cli.require_subcommand(1);
  CLI::App* validate = AddValidate(cli, arguments);
  const CLI::App* import = AddImport(cli, arguments);
  const CLI::App* dump = AddDump(cli, arguments);
  AddCheck(cli, arguments);
  if (const int exit_status = Parse(cli, argc, argv); exit_status >= 0) {
    return exit_status;
  }
  rls::SetLogLevel(rls::LogLevel::kError);
  // Silence gRPC's log, which only repeats the status that is printed.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  if (validate->parsed()) return rls::ValidateConfig(arguments.files);
  if (import->parsed()) return rls::ImportLimitador(arguments.import);
  if (dump->parsed()) {
    return ReadTimeout(arguments.dump_timeout, arguments.dump.timeout)
               ? rls::DumpConfig(arguments.dump)
               : rls::kExitUsage;
  }
  absl::string_view hits = arguments.hits;
  arguments.check.gives_back = absl::ConsumePrefix(&hits, "-");
  if (!absl::SimpleAtoi(hits, &arguments.check.hits)) {
    std::fprintf(stderr,
                 "ratelimitctl: --hits: found %s, expected a whole number of "
                 "at most 64 bits\n",
                 rls::Quoted(arguments.hits).c_str());
    return rls::kExitUsage;
  }
  if (!ReadTimeout(arguments.timeout, arguments.check.timeout)) {
    return rls::kExitUsage;
  }
  return rls::Check(arguments.check);
}
