//! An application that is wide: two hundred handlers, and a thousand partitions in one group.

use narad::GroupState;
use narad::prelude::*;
use narad_tests::wait;

use crate::application::{Application, work};
use crate::cluster::Mock;

const GROUP: &str = "w-wide";
const TOPICS: usize = 100;
const PARTITIONS: i32 = 10;

/// For each topic two handlers, each of which takes every record.
macro_rules! wide {
    ($($topic:literal $first:ident $second:ident)*) => {$(
        #[kafka_handler(topic = $topic, group = GROUP, ordering = "none")]
        async fn $first(_: Record) {}

        #[kafka_handler(topic = $topic, group = GROUP, ordering = "none")]
        async fn $second(_: Record) {}
    )*};
}
wide! {
    "wide-00" h000 h001 "wide-01" h002 h003 "wide-02" h004 h005 "wide-03" h006 h007
    "wide-04" h008 h009 "wide-05" h010 h011 "wide-06" h012 h013 "wide-07" h014 h015
    "wide-08" h016 h017 "wide-09" h018 h019 "wide-10" h020 h021 "wide-11" h022 h023
    "wide-12" h024 h025 "wide-13" h026 h027 "wide-14" h028 h029 "wide-15" h030 h031
    "wide-16" h032 h033 "wide-17" h034 h035 "wide-18" h036 h037 "wide-19" h038 h039
    "wide-20" h040 h041 "wide-21" h042 h043 "wide-22" h044 h045 "wide-23" h046 h047
    "wide-24" h048 h049 "wide-25" h050 h051 "wide-26" h052 h053 "wide-27" h054 h055
    "wide-28" h056 h057 "wide-29" h058 h059 "wide-30" h060 h061 "wide-31" h062 h063
    "wide-32" h064 h065 "wide-33" h066 h067 "wide-34" h068 h069 "wide-35" h070 h071
    "wide-36" h072 h073 "wide-37" h074 h075 "wide-38" h076 h077 "wide-39" h078 h079
    "wide-40" h080 h081 "wide-41" h082 h083 "wide-42" h084 h085 "wide-43" h086 h087
    "wide-44" h088 h089 "wide-45" h090 h091 "wide-46" h092 h093 "wide-47" h094 h095
    "wide-48" h096 h097 "wide-49" h098 h099 "wide-50" h100 h101 "wide-51" h102 h103
    "wide-52" h104 h105 "wide-53" h106 h107 "wide-54" h108 h109 "wide-55" h110 h111
    "wide-56" h112 h113 "wide-57" h114 h115 "wide-58" h116 h117 "wide-59" h118 h119
    "wide-60" h120 h121 "wide-61" h122 h123 "wide-62" h124 h125 "wide-63" h126 h127
    "wide-64" h128 h129 "wide-65" h130 h131 "wide-66" h132 h133 "wide-67" h134 h135
    "wide-68" h136 h137 "wide-69" h138 h139 "wide-70" h140 h141 "wide-71" h142 h143
    "wide-72" h144 h145 "wide-73" h146 h147 "wide-74" h148 h149 "wide-75" h150 h151
    "wide-76" h152 h153 "wide-77" h154 h155 "wide-78" h156 h157 "wide-79" h158 h159
    "wide-80" h160 h161 "wide-81" h162 h163 "wide-82" h164 h165 "wide-83" h166 h167
    "wide-84" h168 h169 "wide-85" h170 h171 "wide-86" h172 h173 "wide-87" h174 h175
    "wide-88" h176 h177 "wide-89" h178 h179 "wide-90" h180 h181 "wide-91" h182 h183
    "wide-92" h184 h185 "wide-93" h186 h187 "wide-94" h188 h189 "wide-95" h190 h191
    "wide-96" h192 h193 "wide-97" h194 h195 "wide-98" h196 h197 "wide-99" h198 h199
}

#[test]
fn two_hundred_handlers_start_on_a_thousand_partitions_and_are_read_and_committed() {
    let mock = Mock::start(1);
    let topics: Vec<_> = (0..TOPICS).map(|number| format!("wide-{number:02}")).collect();
    for topic in &topics {
        mock.create_topic(topic, PARTITIONS);
        mock.create_topic_if_missing(&format!("{topic}.{GROUP}.dlq"));
    }
    let mut application = Application::start_with(&mock, GROUP, |config| config.variables.set("GROUP", "w"));
    wait::until("the group has all partitions", || {
        let health = application.narad.health();
        let has_all = |group: &narad::GroupHealth| {
            group.state() == GroupState::Stable && group.assigned() == TOPICS * PARTITIONS as usize
        };
        health.groups().iter().any(has_all)
    });
    // Each of these asks with a client of its own, which takes a while.
    let some: Vec<_> = topics.iter().step_by(33).collect();
    for topic in &some {
        mock.cluster.write(topic, work(0..1, 30, "nothing"));
    }
    wait::until("all records are committed", || {
        let of = |topic: &&String| {
            mock.cluster
                .committed(GROUP, topic, PARTITIONS)
                .iter()
                .map(|sample| sample.committed)
                .sum::<i64>()
        };
        some.iter().map(of).sum::<i64>() == 30 * some.len() as i64
    });
    application.stop().expect("a clean end");
}
