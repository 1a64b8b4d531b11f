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
  std::string hits = "1";
  std::string timeout = "1s";
};

CLI::App* AddValidate(CLI::App& cli, Arguments& arguments) {
  CLI::App* validate =
      cli.add_subcommand("validate-config", "Check configuration files");
  validate->add_option("FILE", arguments.files, "Files or folders")->required();
  return validate;
}

// Nothing where there should be something, as of a variable that is not set,
// would be taken for plaintext.
std::string RefuseEmpty(const std::string& value) {
  return value.empty() ? "expected something" : "";
}

void AddTls(CLI::App& command, rls::TlsArguments& tls) {
  command.add_flag("--tls", tls.on,
                   "Speak TLS; each of the following says so too");
  const auto add = [&command](const char* name, std::string& value,
                              const char* type, const char* description) {
    command.add_option(name, value, description)
        ->type_name(type)
        ->check(RefuseEmpty);
  };
  add("--tls-ca", tls.files.ca_file, "PEM",
      "Whose certificates to trust; the system's unless given");
  add("--tls-cert", tls.files.certificate_file, "PEM",
      "The client's certificate; needs --tls-key");
  add("--tls-key", tls.files.key_file, "PEM", "Its key");
  add("--tls-server-name", tls.files.server_name, "NAME",
      "Whom the server's certificate must be for; the host of --address unless "
      "given");
}

CLI::App* AddCheck(CLI::App& cli, Arguments& arguments) {
  CLI::App* check = cli.add_subcommand(
      "check",
      "Ask a server for one decision. Exit status: 0 OK, 1 over limit, "
      "2 usage, 3 no answer");
  rls::CheckArguments& asked = arguments.check;
  check->add_option("--address", asked.address, "Where the server listens")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  AddTls(*check, asked.tls);
  check->add_option("--domain", asked.domain, "The domain to ask")->required();
  check
      ->add_option("--descriptor", asked.descriptors,
                   "key=value[,key=value]...; can be given several times; a "
                   "comma in a value is written \\,")
      ->type_name("DESCRIPTOR")
      ->allow_extra_args(false)
      ->required();
  check
      ->add_option("--hits", arguments.hits,
                   "Units to charge; 0 looks, a negative number gives back")
      ->type_name("NUMBER")
      ->capture_default_str();
  check->add_option("--timeout", arguments.timeout, "How long to wait")
      ->type_name("DURATION")
      ->capture_default_str();
  check->add_flag("--json", asked.json, "Print the whole answer as JSON");
  return check;
}

// CLI11 throws; this is its fence. -1 to go on, else the exit status.
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
  CLI::App cli("Talks to ratelimitd and checks its configuration",
               "ratelimitctl");
  cli.set_version_flag("--version", "ratelimitctl " RLS_VERSION);
  cli.require_subcommand(1);
  CLI::App* validate = AddValidate(cli, arguments);
  AddCheck(cli, arguments);
  if (const int exit_status = Parse(cli, argc, argv); exit_status >= 0) {
    return exit_status;
  }
  rls::SetLogLevel(rls::LogLevel::kError);
  // gRPC logs what it also says in its status, which is printed.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  if (validate->parsed()) return rls::ValidateConfig(arguments.files);
  absl::string_view hits = arguments.hits;
  arguments.check.gives_back = absl::ConsumePrefix(&hits, "-");
  if (!absl::SimpleAtoi(hits, &arguments.check.hits)) {
    std::fprintf(stderr,
                 "ratelimitctl: --hits: found %s, expected a whole number of "
                 "at most 64 bits\n",
                 rls::Quoted(arguments.hits).c_str());
    return rls::kExitUsage;
  }
  if (!absl::ParseDuration(arguments.timeout, &arguments.check.timeout)) {
    std::fprintf(stderr,
                 "ratelimitctl: --timeout: found %s, expected a duration with "
                 "its unit, such as 1s or 500ms\n",
                 rls::Quoted(arguments.timeout).c_str());
    return rls::kExitUsage;
  }
  return rls::Check(arguments.check);
}
