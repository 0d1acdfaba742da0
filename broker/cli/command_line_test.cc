#include "broker/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace chronik::broker::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

PrintCommand printed(const std::vector<std::string>& arguments) {
  const Command command = parse_command_line(arguments);
  return std::get<PrintCommand>(command);
}

TEST(CommandLine, ServeTakesAFileAndSettings) {
  const auto command = std::get<ServeCommand>(parse_command_line(
      {"serve", "--config", "a.properties", "--num.partitions=3", "--log.dirs=/a b"}));
  EXPECT_EQ(command.config_file, "a.properties");
  EXPECT_THAT(command.flags, ElementsAre("--num.partitions=3", "--log.dirs=/a b"));
  EXPECT_FALSE(command.dev);
  EXPECT_EQ(std::get<ServeCommand>(parse_command_line({"serve", "--config=x"})).config_file, "x");
  EXPECT_EQ(std::get<ServeCommand>(parse_command_line({"serve"})).config_file, std::nullopt);
}

TEST(CommandLine, DevTakesSettings) {
  const auto command =
      std::get<ServeCommand>(parse_command_line({"dev", "--listeners=PLAINTEXT://:1"}));
  EXPECT_TRUE(command.dev);
  EXPECT_THAT(command.flags, ElementsAre("--listeners=PLAINTEXT://:1"));
}

TEST(CommandLine, HealthTakesWhatServeTakes) {
  const auto command = std::get<HealthCommand>(
      parse_command_line({"health", "--config", "a.properties", "--listeners=PLAINTEXT://:1"}));
  EXPECT_EQ(command.broker.config_file, "a.properties");
  EXPECT_THAT(command.broker.flags, ElementsAre("--listeners=PLAINTEXT://:1"));
}

TEST(CommandLine, ConfigListTakesAPartOfAName) {
  EXPECT_EQ(std::get<ConfigListCommand>(parse_command_line({"config", "list"})).part, "");
  const auto list = std::get<ConfigListCommand>(
      parse_command_line({"config", "list", "retention", "--properties"}));
  EXPECT_EQ(list.part, "retention");
  EXPECT_TRUE(list.properties);
}

TEST(CommandLine, LogCommandsTakeADirectory) {
  const auto dump = std::get<LogDumpCommand>(parse_command_line(
      {"log", "dump", "--records", "--from=5", "--below", "9", "--preview=0", "/data"}));
  EXPECT_EQ(dump.directory, "/data");
  EXPECT_TRUE(dump.options.records);
  EXPECT_EQ(dump.options.from, 5);
  EXPECT_EQ(dump.options.below, 9);
  EXPECT_EQ(dump.options.preview_bytes, 0u);
  const auto plain = std::get<LogDumpCommand>(parse_command_line({"log", "dump", "d"}));
  EXPECT_FALSE(plain.options.records);
  EXPECT_EQ(plain.options.from, std::nullopt);
  const auto verify =
      std::get<LogVerifyCommand>(parse_command_line({"log", "verify", "d", "--records"}));
  EXPECT_EQ(verify.directory, "d");
  EXPECT_TRUE(verify.options.records);
  EXPECT_EQ(std::get<LogRepairCommand>(parse_command_line({"log", "repair", "d"})).directory, "d");
}

TEST(CommandLine, MetadataDumpTakesAPlaceInTheLog) {
  const auto dump = std::get<MetadataDumpCommand>(
      parse_command_line({"metadata", "dump", "--at=17", "--hash", "/data"}));
  EXPECT_EQ(dump.directory, "/data");
  EXPECT_EQ(dump.at, 17);
  EXPECT_TRUE(dump.hash_only);
  const auto plain = std::get<MetadataDumpCommand>(parse_command_line({"metadata", "dump", "d"}));
  EXPECT_FALSE(plain.at.has_value());
  EXPECT_FALSE(plain.hash_only);
}

TEST(CommandLine, ClusterCommandsTakeANodeAndABroker) {
  using What = ClusterCommand::What;
  const auto parsed = [](const std::vector<std::string>& arguments) {
    return std::get<ClusterCommand>(parse_command_line(arguments));
  };
  EXPECT_EQ(parsed({"cluster", "status"}).address, "localhost:9092");
  EXPECT_EQ(parsed({"cluster", "status", "--bootstrap-server=n1:9"}).address, "n1:9");
  EXPECT_EQ(parsed({"cluster", "add", "4"}).node, 4);
  EXPECT_EQ(parsed({"cluster", "add", "4"}).what, What::add);
  EXPECT_EQ(parsed({"cluster", "remove", "0"}).what, What::remove);
  EXPECT_EQ(parsed({"cluster", "forget", "7"}).what, What::forget);
  const ClusterCommand recover =
      parsed({"cluster", "recover", "--topic", "t", "--partition=7", "--accept-loss"});
  EXPECT_EQ(recover.what, What::recover);
  EXPECT_EQ(recover.topic, "t");
  EXPECT_EQ(recover.partition, 7);
  EXPECT_TRUE(recover.accept_loss);
  EXPECT_FALSE(parsed({"cluster", "recover", "--topic=t", "--partition=0"}).accept_loss);
  EXPECT_EQ(printed({"cluster", "recover", "--topic", "t"}).text,
            "chronik: --partition is missing; see `chronik cluster recover --help`");
  EXPECT_EQ(printed({"cluster", "recover", "--topic", "t", "--partition", "-1"}).code,
            exit_misused);
  EXPECT_EQ(printed({"cluster", "add", "x"}).text,
            "chronik: x: NODE is a number from 0 on; see `chronik cluster add --help`");
  EXPECT_EQ(printed({"cluster", "add"}).code, exit_misused);
}

TEST(CommandLine, HelpIsEverywhere) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--help"},
                                                    {"-h"},
                                                    {"serve", "--help"},
                                                    {"dev", "-h"},
                                                    {"health", "--help"},
                                                    {"config", "--help"},
                                                    {"log", "--help"},
                                                    {"log", "dump", "--help"},
                                                    {"log", "verify", "--help"},
                                                    {"log", "repair", "--help"},
                                                    {"metadata", "dump", "--help"},
                                                    {"cluster", "--help"},
                                                    {"cluster", "status", "--help"},
                                                    {"cluster", "recover", "--help"},
                                                    {"config", "list", "--help"}}) {
    const PrintCommand help = printed(arguments);
    EXPECT_EQ(help.code, exit_fine);
    EXPECT_THAT(help.text, HasSubstr("Usage:"));
  }
  EXPECT_THAT(printed({"--help"}).text, HasSubstr("dev"));
  EXPECT_THAT(printed({"--help"}).text, HasSubstr("log verify"));
  EXPECT_THAT(printed({"serve", "--help"}).text, HasSubstr("--KEY=VALUE"));
}

TEST(CommandLine, TellsItsVersion) {
  const PrintCommand version = printed({"--version"});
  EXPECT_EQ(version.code, exit_fine);
  EXPECT_THAT(version.text, StartsWith("chronik "));
}

TEST(CommandLine, WithoutACommandItHelpsAndFails) {
  EXPECT_EQ(printed({}).code, exit_misused);
  EXPECT_THAT(printed({}).text, HasSubstr("Usage: "));
}

struct Mistake {
  std::vector<std::string> arguments;
  const char* line;
};

TEST(CommandLine, AMistakeIsOneLineThatPointsToHelp) {
  const Mistake mistakes[] = {
      {{"frobnicate"}, "chronik: frobnicate: there is no such command; see `chronik --help`"},
      {{"--frobnicate"}, "chronik: --frobnicate: there is no such option; see `chronik --help`"},
      {{"serve", "num.partitions=1"},
       "chronik: num.partitions=1: a setting is written as --key=value; see `chronik serve "
       "--help`"},
      {{"dev", "--num.partitions", "1"},
       "chronik: --num.partitions: a setting is written as --key=value; see `chronik dev --help`"},
      {{"serve", "--config"}, "chronik: --config: FILE is missing; see `chronik serve --help`"},
      {{"serve", "--config="}, "chronik: --config: FILE is missing; see `chronik serve --help`"},
      {{"serve", "--config=a", "--config=b"},
       "chronik: --config: given twice; see `chronik serve --help`"},
      {{"config"}, "chronik: config: what about it?; see `chronik config --help`"},
      {{"config", "frob"},
       "chronik: config frob: there is no such command; see `chronik config --help`"},
      {{"config", "list", "a", "b"},
       "chronik: b: one word too many; see `chronik config list --help`"},
      {{"config", "list", "--deep"},
       "chronik: --deep: there is no such option; see `chronik config list --help`"},
      {{"log", "dump"}, "chronik: DIR is missing; see `chronik log dump --help`"},
      {{"log", "verify", "a", "b"},
       "chronik: b: one word too many; see `chronik log verify --help`"},
      {{"log", "dump", "--from=x", "d"},
       "chronik: --from: x is no number from 0 on; see `chronik log dump --help`"},
      {{"log", "dump", "--preview", "-1", "d"},
       "chronik: --preview: -1 is no number from 0 on; see `chronik log dump --help`"},
      {{"metadata", "dump", "--at=end", "d"},
       "chronik: --at: end is no number from 0 on; see `chronik metadata dump --help`"},
      {{"config", "list", "--properties=1"},
       "chronik: --properties: takes no value; see `chronik config list --help`"},
  };
  for (const Mistake& mistake : mistakes) {
    const PrintCommand answer = printed(mistake.arguments);
    EXPECT_EQ(answer.text, mistake.line);
    EXPECT_EQ(answer.code, exit_misused);
  }
}

}  // namespace
}  // namespace chronik::broker::cli
